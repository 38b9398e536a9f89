package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
)

// serverName is in the certificate of every node, and what each asks of the other.
const serverName = "chronos"

// files is where the secret is mounted. They are read anew for each connection:
// the kubelet replaces them when the secret changes, and nothing has to be restarted.
type files string

func (f files) mutual() (*tls.Config, error) {
	cert, err := tls.LoadX509KeyPair(filepath.Join(string(f), "tls.crt"), filepath.Join(string(f), "tls.key"))
	if err != nil {
		return nil, err
	}
	ca := filepath.Join(string(f), "ca.crt")
	text, err := os.ReadFile(ca)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s holds no certificate", ca)
	}
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{cert},
		ClientAuth:             tls.RequireAndVerifyClientCert, // when listening
		ClientCAs:              pool,
		RootCAs:                pool, // when dialing
		ServerName:             serverName,
		SessionTicketsDisabled: true, // a session must not outlive the certificate that began it
	}, nil
}

func (f files) listening() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.mutual() },
	}
}

func (f files) dialed(ctx context.Context, plain net.Conn) (net.Conn, error) {
	config, err := f.mutual()
	if err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	conn := tls.Client(plain, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		return nil, errors.Join(err, plain.Close())
	}
	return conn, nil
}
