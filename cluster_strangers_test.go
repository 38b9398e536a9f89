package chronos_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/authority"
)

// dressed makes a cluster of the team by mutual TLS, and answers with what a node
// has to prove itself.
func dressed(t *testing.T, c *team) (mine *tls.Config) {
	t.Helper()
	ca, err := authority.New()
	if err != nil {
		t.Fatal(err)
	}
	c.change = func(o *chronos.Options) {
		config := proof(t, ca, o.Node)
		dial := o.Cluster.Dial
		o.Cluster.Listener = tls.NewListener(o.Cluster.Listener, config)
		o.Cluster.Dial = func(ctx context.Context, addr string) (net.Conn, error) {
			conn, err := dial(ctx, addr)
			if err != nil {
				return nil, err
			}
			secure := tls.Client(conn, config)
			return secure, secure.HandshakeContext(ctx)
		}
	}
	return proof(t, ca, "stranger")
}

func proof(t *testing.T, ca *authority.Authority, name string) *tls.Config {
	t.Helper()
	id, err := ca.Issue(name)
	if err != nil {
		t.Fatal(err)
	}
	config, err := id.TLS()
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// greeting is a hello as a new node says it: what for ('R'aft or 'C'ommands), of
// which cluster, by whom, and where that is.
func greeting(kind byte, cluster, node, addr string) string {
	body := ""
	for _, text := range []string{cluster, node, addr, ""} {
		body += string([]byte{byte(len(text))}) + text
	}
	return "CHRM\x01" + string([]byte{kind, 0, byte(len(body))}) + body
}

// question is one on a connection for commands.
func question(code byte, body string) string {
	b := binary.BigEndian.AppendUint32(nil, uint32(9+len(body)))
	b = binary.BigEndian.AppendUint64(b, 1)
	return string(append(b, code)) + body
}

// knock makes a connection that says something, and more of it at a byte a second,
// and listens for ten seconds at the most.
func (c *team) knock(addr string, config *tls.Config, say, slowly string) (heard []byte) {
	conn, err := c.net.Dialer("stranger")(c.t.Context(), addr)
	if err != nil {
		return nil
	}
	defer conn.Close()
	if config != nil {
		conn = tls.Client(conn, config)
	}
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	go func() {
		_, _ = io.WriteString(conn, say)
		for _, b := range []byte(slowly) {
			time.Sleep(time.Second)
			if _, err := conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}()
	heard, _ = io.ReadAll(conn)
	return heard
}

// beset has strangers knock on every node for a while, and checks that the
// cluster goes on as if they were not there.
func (c *team) beset(knock func(addr string)) {
	c.t.Helper()
	for i := range 6 {
		job := chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Second)}
		if _, err := c.any().Put(c.t.Context(), job); err != nil {
			c.t.Fatal(err)
		}
	}
	begin := time.Now().Truncate(time.Second).Add(time.Second)
	before := c.any().Status()
	var wg sync.WaitGroup
	for _, n := range c.names {
		wg.Go(func() { knock("addr-" + n) })
	}
	wg.Wait()
	time.Sleep(5 * time.Second)
	after := c.any().Status()
	if before.Term != after.Term || before.Leader != after.Leader || len(after.Members) != 3 {
		c.t.Errorf("term %d and leader %s have become %d and %s of %d", before.Term, before.Leader, after.Term, after.Leader, len(after.Members))
	}
	ids := ""
	for j, err := range c.any().Jobs(c.t.Context(), nil) {
		if err != nil {
			c.t.Fatal(err)
		}
		ids += j.ID + " "
	}
	if ids != "job-0 job-1 job-2 job-3 job-4 job-5 " {
		c.t.Errorf("jobs %s", ids)
	}
	for i := range 6 {
		c.complete(c.leader(), fmt.Sprintf("job-%d", i), begin, time.Now().Add(-2*time.Second).Truncate(time.Second))
	}
	for _, s := range c.begun() {
		if late := s.at.Sub(s.due); late > 20*time.Millisecond {
			c.t.Fatalf("%s due %v began %v late", s.job, s.due, late)
		}
	}
}

// Unauthenticated connections to a cluster with TLS get nothing, and change
// nothing: neither in plain text, nor without a certificate, nor with one of
// another authority. A node of another cluster, with a certificate, hears who
// answers, and that it is in the wrong place.
func TestClusterUnauthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		ours := dressed(t, c)
		without := ours.Clone()
		without.Certificates = nil
		other, err := authority.New()
		if err != nil {
			t.Fatal(err)
		}
		foreign := proof(t, other, "b")
		foreign.RootCAs = ours.RootCAs // it knows us, but we do not know it
		c.open("a", "b", "c")
		for _, n := range c.names {
			c.run(n, "h")
		}
		defer c.closeAll()
		c.beset(func(addr string) {
			for kind, question := range map[byte]string{'C': question(6, "b"), 'R': "\x03\x80"} { // remove b; call an election
				for name, config := range map[string]*tls.Config{"plain": nil, "no certificate": without, "of another authority": foreign} {
					heard := c.knock(addr, config, greeting(kind, "team", "d", "addr-stranger")+question, "")
					if bytes.Contains(heard, []byte("CHRM")) || len(heard) > 20 { // an alert of TLS
						t.Errorf("%s, %s, kind %c: heard %q", addr, name, kind, heard)
					}
				}
				heard := c.knock(addr, ours, greeting(kind, "another", "d", "addr-stranger")+question, "")
				if want := "CHRM\x01\x01\x00\x02\x01" + addr[len(addr)-1:]; string(heard) != want {
					t.Errorf("%s, another cluster, kind %c: heard %q, want %q", addr, kind, heard, want)
				}
			}
		})
		if heard := c.knock("addr-a", ours, greeting('C', "team", "d", ""), ""); string(heard) != "CHRM\x01\x00\x00\x02\x01a" {
			t.Errorf("control: with a certificate and the right name: %q", heard)
		}
		// Nobody goes to where the strangers said that d is.
		if err := c.any().RemoveMember(t.Context(), "d"); !errors.Is(err, chronos.ErrNotFound) {
			t.Errorf("d is known: %v", err)
		}
	})
}

// Whoever has a certificate and sends what no node sends, or sends it slowly, does
// no harm: the connection ends, or waits by itself.
func TestClusterMalformed(t *testing.T) {
	const hours = "\xff\xff\xff\xff\xff\xff"
	nonsense := []string{
		strings.Repeat("\x00", 4000), strings.Repeat("\xff", 4000), "GET / HTTP/1.1\r\n\r\n",
		// commands: lengths of 4 GiB and of 0, a body cut off, unknown questions, no protobuf
		"\xff\xff\xff\xff" + question(1, "")[4:], "\x00\x00\x00\x00", question(1, "batch")[:15], question(0, "x"), question(200, "x"),
		question(1, hours), question(1, ""), question(3, "short"), question(1, "\x0a\x04\xa2\x01\x01x"),
		// Raft: each kind of call, with maps, arrays, texts and bytes of 4 GiB, and deep nesting
		"\x00\xdf" + hours, "\x00\xdd" + hours, "\x00\xdb" + hours, "\x00\xc6" + hours,
		"\x01\xdf" + hours, "\x02\xdf" + hours, "\x02\x81\xa4Data\xc6" + hours, "\x03\xdf" + hours, "\x04\xdf" + hours, "\x09",
		"\x00\x81\xa7Entries\xdd" + hours, "\x00\x81\xa7Entries\x91\x81\xa4Data\xc6" + hours, "\x00" + strings.Repeat("\x91", 3000),
		"\x00\x81\xa6Leader\xdb" + hours, "\x02\x81\xa4Size\xcf" + hours + hours, "\x00\xc1", "\x00\x81\xa4Term\xa1x",
	}
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		ours := dressed(t, c)
		c.open("a", "b", "c")
		for _, n := range c.names {
			c.run(n, "h")
		}
		defer c.closeAll()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c.beset(func(addr string) {
			for _, kind := range []byte("CR") {
				var wg sync.WaitGroup
				hello := greeting(kind, "team", "stranger", "addr-stranger")
				for i, what := range slices.Concat(nonsense, []string{""}) { // below the places for strangers
					wg.Go(func() {
						heard := c.knock(addr, ours, hello+what, "")
						if !bytes.HasPrefix(heard, []byte("CHRM")) || len(heard) > 300 {
							t.Errorf("kind %c, %d: heard %d bytes: %.60q", kind, i, len(heard), heard)
						}
					})
					wg.Go(func() { c.knock(addr, ours, hello, what) })
					wg.Go(func() { c.knock(addr, ours, "", hello) })
				}
				wg.Wait()
			}
		})
		runtime.ReadMemStats(&after)
		if grown := int64(after.Sys) - int64(before.Sys); grown > 512<<20 {
			t.Errorf("they made the process grow by %d MiB", grown>>20)
		}
	})
}

// Whoever has a certificate and opens connections without end, under one name and
// under many, has a few of them in the end, and the others go on.
func TestClusterCrowded(t *testing.T) {
	const tries, allowed = 100, 32
	synctest.Test(t, func(t *testing.T) {
		c := newTeam(t, "a", "b", "c")
		ours := dressed(t, c)
		c.open("a", "b", "c")
		for _, n := range c.names {
			c.run(n, "h")
		}
		defer c.closeAll()
		c.beset(func(addr string) {
			var conns []net.Conn
			for i := range tries {
				for _, who := range []string{"greedy", fmt.Sprintf("name-%d", i)} {
					conn, err := c.net.Dialer("stranger")(t.Context(), addr)
					if err != nil {
						t.Error(err)
						return
					}
					secure := tls.Client(conn, ours)
					conns = append(conns, secure)
					_, _ = io.WriteString(secure, greeting("CR"[i%2], "team", who, "addr-stranger"))
				}
				time.Sleep(10 * time.Millisecond)
			}
			time.Sleep(10 * time.Second)
			open := 0
			for i, conn := range conns {
				_ = conn.SetDeadline(time.Now().Add(time.Millisecond))
				heard, err := io.ReadAll(conn)
				timeout, ok := err.(net.Error)
				if ok && timeout.Timeout() && bytes.HasPrefix(heard, []byte("CHRM")) {
					open += 1 - i%2 // those of one name
				}
				_ = conn.Close()
			}
			if open != allowed {
				t.Errorf("%s: %d connections of one node are open, %d may be", addr, open, allowed)
			}
		})
	})
}
