package pipenet

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// pair connects a and b.
func pair(t *testing.T, n *Network) (a, b net.Conn) {
	t.Helper()
	l := n.Listen("b")
	got := make(chan net.Conn, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			t.Error(err)
		}
		got <- c
	}()
	a, err := n.Dialer("a")(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	return a, <-got
}

// reads says what comes, and when.
func reads(t *testing.T, c net.Conn, want string, after time.Duration) {
	t.Helper()
	begun, buf := time.Now(), make([]byte, 100)
	n, err := c.Read(buf)
	if string(buf[:n]) != want || err != nil || time.Since(begun) != after {
		t.Errorf("read %q (%v) after %v, want %q after %v", buf[:n], err, time.Since(begun), want, after)
	}
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Errorf("write %q: %v", text, err)
	}
}

// What is sent over a link that is cut waits until it is mended, in one direction
// only, and so does the end of a connection.
func TestCutOneWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		a, b := pair(t, &n)
		n.Cut("a", "b")
		send(t, a, "there")
		send(t, b, "back")
		reads(t, a, "back", 0)
		a.Close()
		time.AfterFunc(time.Minute, func() { n.Mend("a", "b") })
		reads(t, b, "there", time.Minute)
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		b.Close()
		n.Cut("b", "a") // a first packet has to be answered
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.Dialer("a")(ctx, "b"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// Delays keep the order, also where they become shorter.
func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		a, b := pair(t, &n)
		n.Delay("a", "b", time.Second)
		send(t, a, "1")
		n.Delay("a", "b", 0)
		send(t, a, "2")
		reads(t, b, "1", time.Second)
		reads(t, b, "2", 0)
		_ = b.SetReadDeadline(time.Now().Add(time.Second))
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		_ = b.SetReadDeadline(time.Time{})
		send(t, a, "3")
		reads(t, b, "3", 0)
		a.Close()
		b.Close()
	})
}

// Connections can be lost, and with a process its listener.
func TestLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		a, b := pair(t, &n)
		time.AfterFunc(time.Second, func() { n.Break("b", "a") })
		if _, err := b.Read(make([]byte, 1)); !errors.Is(err, errReset) {
			t.Error(err)
		}
		if _, err := a.Write([]byte("x")); !errors.Is(err, errReset) {
			t.Error(err)
		}
		a, b = pair(t, &n)
		n.Drop("b")
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, errReset) {
			t.Error(err)
		}
		if _, err := n.Dialer("a")(t.Context(), "b"); !errors.Is(err, errNobody) {
			t.Error(err)
		}
		_ = b
	})
}

// A writer waits when a megabyte is on the way.
func TestWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n Network
		a, b := pair(t, &n)
		send(t, a, string(make([]byte, window)))
		_ = a.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := a.Write([]byte("x")); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
		_ = a.SetWriteDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { _, _ = io.ReadFull(b, make([]byte, window)) })
		begun := time.Now()
		send(t, a, "y")
		if time.Since(begun) != time.Minute {
			t.Errorf("it waited %v", time.Since(begun))
		}
		a.Close()
		b.Close()
	})
}
