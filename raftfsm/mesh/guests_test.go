package mesh

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos/internal/pipenet"
)

// visit says a node's hello and waits for the answer; nil when there was none.
func visit(t *testing.T, p *pipenet.Network, node string) net.Conn {
	t.Helper()
	conn, err := p.Dialer("stranger")(t.Context(), "addr-a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := hello{Commands, "one", node, "addr-" + node, Unrecovered}.encode()
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := conn.Write(b); err != nil {
		t.Fatal(err)
	}
	if _, _, err := readAnswer(conn); err != nil {
		conn.Close()
		return nil
	}
	return conn
}

// answers tells if a connection is still served.
func answers(conn net.Conn) bool {
	if _, err := io.WriteString(conn, "x"); err != nil {
		return false
	}
	b := make([]byte, 1)
	for {
		if _, err := conn.Read(b); err != nil {
			return false
		}
		if b[0] == 'x' {
			return true
		}
	}
}

type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// said is how often it was said that there were too many, and how many those were.
func (l *lines) said() (n, closed int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.b.String()) {
		if _, after, ok := strings.Cut(line, " closed="); ok {
			var k int
			fmt.Sscan(after, &k)
			n, closed = n+1, closed+k
		}
	}
	return n, closed
}

func host(p *pipenet.Network) (*Mesh, *lines) {
	var log lines
	m := New(Config{
		Cluster: "one", Node: "a", Listener: p.Listen("addr-a"), Dial: p.Dialer("addr-a"), Peers: map[string]string{"a": "addr-a", "b": "addr-b"},
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, map[Kind]func(string, net.Conn){Commands: echo})
	m.Start()
	return m, &log
}

// A node that makes connections without end has so many at a time, the newest, and
// takes nothing from the others. The log does not fill with it.
func TestMeshBoundsANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		a, log := host(&p)
		defer a.Close()
		b := visit(t, &p, "b")
		var conns []net.Conn
		const tries = 10 * guestsPerNode
		for range tries {
			conns = append(conns, visit(t, &p, "greedy"))
			time.Sleep(10 * time.Millisecond)
		}
		synctest.Wait()
		if n := held(a); n != guestsPerNode+1 {
			t.Errorf("%d connections are held, %d may be", n, guestsPerNode+1)
		}
		for i, conn := range conns {
			if conn == nil || answers(conn) != (i >= tries-guestsPerNode) {
				t.Errorf("connection %d of %d is open, or not, against the rule", i, tries)
			}
		}
		if !answers(b) {
			t.Error("another node's connection went with them")
		}
		if n, closed := log.said(); n != 1 || closed != 1 {
			t.Errorf("%d lines that tell of %d", n, closed)
		}
		time.Sleep(guestsQuiet)
		visit(t, &p, "greedy")
		synctest.Wait()
		if n, closed := log.said(); n != 2 || closed != tries-guestsPerNode+1 {
			t.Errorf("later: %d lines that tell of %d", n, closed)
		}
		for _, conn := range conns {
			conn.Close()
		}
		synctest.Wait()
		if n := held(a); n != 2 || len(a.guests.byNode) != 2 {
			t.Errorf("%d connections of %d nodes are remembered in the end", n, len(a.guests.byNode))
		}
	})
}

// Nor does it help to have many names: who was there goes on, and who comes when
// all places are taken gets none. What is remembered of names is bounded, too.
func TestMeshBoundsAllNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		a, log := host(&p)
		defer a.Close()
		b := visit(t, &p, "b")
		for i := range guestsMax + 200 {
			conn := visit(t, &p, fmt.Sprintf("name-%d", i))
			if (conn != nil) != (i < guestsMax-1) {
				t.Fatalf("connection %d: welcome %v", i, conn != nil)
			}
		}
		if !answers(b) {
			t.Error("another node's connection went with them")
		}
		again := visit(t, &p, "b")
		synctest.Wait()
		if again == nil || answers(b) {
			t.Error("who is there does not get a new connection for an old one")
		}
		if n := held(a); n != guestsMax {
			t.Errorf("%d connections are held, %d may be", n, guestsMax)
		}
		if n, _ := log.said(); n != 1 {
			t.Errorf("%d lines", n)
		}
	})
}

// Names that a node hears from strangers only push out each other.
func TestMeshForgetsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		a, _ := host(&p)
		defer a.Close()
		visit(t, &p, "member").Close()
		a.Learn("member", "addr-member")
		for i := range 3 * heardMax {
			visit(t, &p, fmt.Sprintf("name-%d", i)).Close()
			synctest.Wait()
		}
		visit(t, &p, "b").Close()
		synctest.Wait()
		if n := len(a.book); n != heardMax+3 {
			t.Errorf("%d names are remembered", n)
		}
		for _, node := range []string{"a", "b", "member", fmt.Sprintf("name-%d", 3*heardMax-1)} {
			if a.Addr(node) == "" {
				t.Errorf("%s was forgotten", node)
			}
		}
		if visit(t, &p, "") != nil {
			t.Error("a node without a name was let in")
		}
	})
}
