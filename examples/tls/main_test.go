package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestShow(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // to see that nothing is left there
	var out bytes.Buffer
	if err := show(t.Context(), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for want, times := range map[string]int{
		"who has no certificate gets: remote error: tls: certificate required":                         1,
		"who has one of another authority gets: remote error: tls: ":                                   1,
		"who has a certificate of the first authority gets: remote error: tls: unknown certificate au": 1,
		"node a asked for work, which succeeded":                                                       4, // at first, and after each step
		"node b asked for work, which succeeded":                                                       4,
		"node c asked for work, which succeeded":                                                       4,
	} {
		if got := strings.Count(out.String(), want); got != times {
			t.Errorf("%q is there %d times", want, got)
		}
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// The control to the refusals: who has the right certificate gets through TLS, and
// a node takes no certificate of somebody else when it dials either.
func TestKnock(t *testing.T) {
	ours, err := newAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	team, err := form(t.Context(), t.TempDir(), ours)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := team.close(); err != nil {
			t.Error(err)
		}
	}()
	cert, err := ours.issue("z")
	if err != nil {
		t.Fatal(err)
	}
	if err := knock(t.Context(), team[0].addr, mutual(cert, ours)); !errors.Is(err, io.EOF) {
		t.Errorf("with a certificate: %v", err)
	}
	other, err := newAuthority("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := knock(t.Context(), team[0].addr, mutual(cert, other)); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("a node of another authority was believed: %v", err)
	}
	if err := refused(t.Context(), io.Discard, "a member", team[0].addr, mutual(cert, ours)); err == nil {
		t.Error("a member counts as refused")
	}
}

// two are nodes of one authority, the second of which listens; again makes certificates
// that are as good.
func two(t *testing.T) (id, other *identity, again func() *tls.Config, l net.Listener) {
	t.Helper()
	ca, err := newAuthority("ours")
	if err != nil {
		t.Fatal(err)
	}
	cert, err := ca.issue("a")
	if err != nil {
		t.Fatal(err)
	}
	again = func() *tls.Config { return mutual(cert, ca) }
	id, other = &identity{}, &identity{}
	id.use(again())
	other.use(again())
	if l, err = other.listen(t.Context(), "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return id, other, again, l
}

// What was dialed or taken before a renewal is closed by it, and nothing is kept of what
// was closed otherwise.
func TestHangUp(t *testing.T) {
	id, other, _, l := two(t)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(io.Discard, conn); conn.Close() }()
		}
	}()
	one, err := id.dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	two, err := id.dial(t.Context(), l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	two.Close()
	if len(id.conns) != 1 {
		t.Errorf("%d connections are open", len(id.conns))
	}
	id.hangUp()
	if _, err := one.Write([]byte("x")); err == nil {
		t.Error("it is open after a renewal")
	}
	one.Close()

	thief, err := id.dial(t.Context(), l.Addr().String()) // who hangs up on nobody
	if err != nil {
		t.Fatal(err)
	}
	defer thief.Close()
	if _, err := thief.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	other.hangUp()
	if err := thief.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := thief.Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("what was taken is open after a renewal: %v", err)
	}
}

// A connection that is being dialed while certificates are renewed does not outlive that.
func TestHangUpWhileDialing(t *testing.T) {
	id, _, again, l := two(t)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		id.use(again()) // it is in the middle of the handshake
		id.hangUp()
		io.Copy(io.Discard, conn)
	}()
	if conn, err := id.dial(t.Context(), l.Addr().String()); !errors.Is(err, errRenewed) {
		t.Errorf("a connection of before the renewal is kept: %v, %v", conn, err)
	}
}
