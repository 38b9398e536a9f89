package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// refuse shows what strangers get.
func refuse(ctx context.Context, out io.Writer, addr string, ours *authority) error {
	other, err := newAuthority(ours.name()) // whatever it calls itself
	if err != nil {
		return err
	}
	cert, err := other.issue("a")
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "\nStrangers:")
	for _, c := range []struct {
		who    string
		config *tls.Config
	}{
		{"who has no certificate", mutual(tls.Certificate{}, ours)},
		{"who has one of another authority", mutual(cert, ours)},
	} {
		if err := refused(ctx, out, c.who, addr, c.config); err != nil {
			return err
		}
	}
	return nil
}

// refused fails if somebody is let in.
func refused(ctx context.Context, out io.Writer, who, addr string, config *tls.Config) error {
	err := knock(ctx, addr, config)
	if err == nil || !strings.Contains(err.Error(), "remote error: tls:") {
		return fmt.Errorf("somebody was not refused %s: %v", who, err)
	}
	fmt.Fprintf(out, "  %s gets: %v\n", who, err)
	return nil
}

// knock says something to a node's port, and gives how that ends: a stranger is
// told why it is refused, and a member who is no node is hung up on.
func knock(ctx context.Context, addr string, config *tls.Config) error {
	conn, err := (&tls.Dialer{NetDialer: &net.Dialer{Timeout: 5 * time.Second}, Config: config}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "is anybody there?"); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 1))
	return err
}
