package mesh

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos/internal/pipenet"
)

// echo serves a connection by sending back what comes, after the caller's name.
func echo(node string, conn net.Conn) {
	defer conn.Close()
	if _, err := io.WriteString(conn, node+":"); err != nil {
		return
	}
	_, _ = io.Copy(conn, conn)
}

func start(p *pipenet.Network, cluster, node, addr string, peers map[string]string) *Mesh {
	m := New(Config{
		Cluster: cluster, Node: node, Listener: p.Listen(addr), Dial: p.Dialer(addr), Peers: peers, Logger: slog.New(slog.DiscardHandler),
	}, map[Kind]func(string, net.Conn){Commands: echo})
	m.Start()
	return m
}

func TestMesh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		peers := map[string]string{"a": "addr-a", "b": "addr-b", "x": "addr-x", "gone": "addr-gone", "moved": "addr-b"}
		a, b := start(&p, "one", "a", "addr-a", peers), start(&p, "one", "b", "addr-b", peers)
		x := start(&p, "two", "x", "addr-x", peers)
		defer a.Close()
		defer b.Close()
		defer x.Close()
		conn, err := a.Dial(t.Context(), Commands, "b")
		if err != nil {
			t.Fatal(err)
		}
		go conn.Write([]byte("hi"))
		got := make([]byte, 4)
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != "a:hi" {
			t.Errorf("got %q, %v", got, err)
		}
		for node, want := range map[string]error{"x": ErrCluster, "moved": ErrNode, "nowhere": ErrUnknown} {
			if _, err := a.Dial(t.Context(), Commands, node); !errors.Is(err, want) {
				t.Errorf("%s: got %v, want %v", node, err, want)
			}
		}
		for _, kind := range []Kind{Raft, 0} {
			if _, err := a.Dial(t.Context(), kind, "b"); err == nil {
				t.Errorf("kind %d is served", kind)
			}
		}
		if _, err := a.Dial(t.Context(), Commands, "a"); err == nil {
			t.Error("a node talks to itself")
		}
		if _, err := a.Dial(t.Context(), Commands, "gone"); err == nil {
			t.Error("nobody answered")
		}
		if b.Suspend(true) || !b.Suspend(true) {
			t.Error("Suspend does not tell what was before")
		}
		if _, err := conn.Read(got); err == nil {
			t.Error("a connection outlived Suspend")
		}
		if _, err := a.Dial(t.Context(), Commands, "b"); err == nil {
			t.Error("a node that is off the network was reached")
		}
		if _, err := b.Dial(t.Context(), Commands, "a"); err == nil {
			t.Error("a node that is off the network reached another")
		}
		if !b.Suspend(false) {
			t.Error("it was not off")
		}
		if _, err := a.Dial(t.Context(), Commands, "b"); err != nil {
			t.Errorf("it did not come back: %v", err)
		}
		if err := b.Close(); err != nil {
			t.Error(err)
		}
		if _, err := b.Dial(t.Context(), Commands, "a"); !errors.Is(err, ErrClosed) {
			t.Errorf("dial after close: %v", err)
		}
	})
}

// A node that calls says where it is: it need not be in anybody's list, and the
// list may be old.
func TestMeshLearnsAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		a := start(&p, "one", "a", "addr-a", map[string]string{"a": "addr-a", "b": "addr-old"})
		b := start(&p, "one", "b", "addr-new", map[string]string{"a": "addr-a", "b": "addr-new"})
		defer a.Close()
		defer b.Close()
		if _, err := a.Dial(t.Context(), Commands, "b"); err == nil {
			t.Fatal("reached where it is not")
		}
		if _, err := b.Dial(t.Context(), Commands, "a"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if _, err := a.Dial(t.Context(), Commands, "b"); err != nil {
			t.Error(err)
		}
	})
}

// Strangers get nothing, and hold a bounded number of places for a bounded time.
func TestMeshStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		peers := map[string]string{"a": "addr-a", "b": "addr-b"}
		a, b := start(&p, "one", "a", "addr-a", peers), start(&p, "one", "b", "addr-b", peers)
		defer a.Close()
		defer b.Close()
		for _, what := range []string{
			"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "CHRM\x02C\x00\x00", "CHRM\x01C\xff\xff" + strings.Repeat("x", 300),
			"CHRM\x01C\x00\x03\xffab", "CHRM\x01C\x00\x05\x01a\x01b\x02", "CHRM\x01C\x00\x08\x01a\x01b\x00\x00xx", strings.Repeat("\x00", 5000),
		} {
			conn, err := p.Dialer("stranger")(t.Context(), "addr-a")
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(time.Minute))
			begun := time.Now()
			go io.WriteString(conn, what)
			if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || time.Since(begun) > helloTimeout {
				t.Errorf("%.20q: got %d bytes, %v after %v", what, n, err, time.Since(begun))
			}
			conn.Close()
		}
		silent := make([]net.Conn, strangersMax+50) // they say nothing
		for i := range silent {
			conn, err := p.Dialer("stranger")(t.Context(), "addr-a")
			if err != nil {
				t.Fatal(err)
			}
			silent[i] = conn
		}
		synctest.Wait()
		if n := held(a); n != strangersMax {
			t.Errorf("%d strangers are held, %d may be", n, strangersMax)
		}
		if _, err := b.Dial(t.Context(), Commands, "a"); err != nil {
			t.Errorf("a node has to wait for strangers: %v", err)
		}
		for i, conn := range silent {
			conn.SetReadDeadline(time.Now().Add(time.Millisecond))
			_, err := conn.Read(make([]byte, 1))
			if gone := !errors.Is(err, os.ErrDeadlineExceeded); gone != (i <= 50) {
				t.Errorf("stranger %d of %d: gone %v (%v)", i, len(silent), gone, err)
			}
		}
		time.Sleep(helloTimeout)
		synctest.Wait()
		if n := held(a); n != 1 {
			t.Errorf("%d connections are held in the end", n)
		}
	})
}

func held(m *Mesh) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.conns)
}

func FuzzHello(f *testing.F) {
	whole, err := hello{Commands, "cluster", "node", "addr:1", "1-ab"}.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(whole))
	f.Add("CHRM\x01C\x00\x04\x00\x00\x00\x00")
	f.Add("")
	f.Fuzz(func(t *testing.T, data string) {
		r := strings.NewReader(data)
		h, err := readHello(r)
		if read := len(data) - r.Len(); read > headSize+maxHello {
			t.Fatalf("read %d bytes", read)
		}
		if err != nil {
			return
		}
		again, err := h.encode()
		if err != nil || string(again) != data[:len(again)] {
			t.Fatalf("%+v does not come back: %q, %v", h, again, err)
		}
		if _, _, err := readAnswer(strings.NewReader(data)); err == nil && h.kind == Raft {
			t.Fatal("a hello passed as an answer")
		}
	})
}

func TestHelloRefusesLongTexts(t *testing.T) {
	if _, err := (hello{Raft, strings.Repeat("x", 256), "n", "a", ""}).encode(); err == nil {
		t.Error("accepted")
	}
}

// Who was left behind by a recovery is refused, whichever side calls, and both
// sides are told; a node that has nothing yet goes with any.
func TestMeshEpochs(t *testing.T) {
	for ours, of := range map[Epoch]map[Epoch]Relation{
		"0":    {"0": Same, "": Same, "1-a": Newer, "2-b": Newer},
		"1-a":  {"0": Older, "1-a": Same, "1-b": Apart, "2-a": Newer, "": Same},
		"10-a": {"9-a": Older},
		"":     {"0": Same, "1-a": Same},
		"x":    {"1-a": Newer},
	} {
		for theirs, want := range of {
			if got := ours.Compare(theirs); got != want {
				t.Errorf("%q to %q: %d, want %d", theirs, ours, got, want)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		peers := map[string]string{"a": "addr-a", "b": "addr-b"}
		type told struct {
			node  string
			epoch Epoch
		}
		heard := map[string]chan told{"a": make(chan told, 9), "b": make(chan told, 9)}
		epochs, known := map[string]Epoch{"a": "1-x", "b": "0"}, true
		open := func(node string) *Mesh {
			m := New(Config{
				Cluster: "one", Node: node, Listener: p.Listen("addr-" + node), Dial: p.Dialer("addr-" + node), Peers: peers, Logger: slog.New(slog.DiscardHandler),
				Epoch:   func() (Epoch, bool) { return epochs[node], known },
				OnEpoch: func(from string, theirs Epoch) { heard[node] <- told{from, theirs} },
			}, map[Kind]func(string, net.Conn){Commands: echo, Raft: echo})
			m.Start()
			return m
		}
		a, b := open("a"), open("b")
		defer a.Close()
		defer b.Close()
		for _, kind := range []Kind{Commands, Raft} {
			if _, err := a.Dial(t.Context(), kind, "b"); !errors.Is(err, ErrEpoch) {
				t.Errorf("a to b: %v", err)
			}
			if _, err := b.Dial(t.Context(), kind, "a"); !errors.Is(err, ErrEpoch) {
				t.Errorf("b to a: %v", err)
			}
			for range 2 {
				if got := <-heard["a"]; got != (told{"b", "0"}) {
					t.Errorf("a was told %v", got)
				}
				if got := <-heard["b"]; got != (told{"a", "1-x"}) {
					t.Errorf("b was told %v", got)
				}
			}
		}
		synctest.Wait()
		epochs["b"] = ""
		if _, err := a.Dial(t.Context(), Raft, "b"); err != nil {
			t.Errorf("to a node that has nothing yet: %v", err)
		}
		synctest.Wait()
		known = false
		if _, err := a.Dial(t.Context(), Raft, "b"); !errors.Is(err, ErrNotYet) {
			t.Errorf("to a node that is opening: %v", err)
		}
		if _, err := a.Dial(t.Context(), Commands, "b"); err != nil {
			t.Errorf("to a node that is opening, with a question: %v", err)
		}
	})
}

// parting is a connection that takes its time to close, as one of TLS does whose
// other side does not read, unless what carries it is closed.
type parting struct {
	net.Conn
	gone chan struct{}
	once *sync.Once
}

// Close implements net.Conn.
func (p parting) Close() error {
	select {
	case <-time.After(5 * time.Second):
	case <-p.gone:
	}
	return p.Conn.Close()
}

// NetConn is what carries it, as tls.Conn has it.
func (p parting) NetConn() net.Conn { return carrier{p} }

type carrier struct{ parting }

// Close implements net.Conn.
func (c carrier) Close() error {
	c.once.Do(func() { close(c.gone) })
	return nil
}

// A node leaves the network at once, and does what else it has to do, although the
// others do not hear that its connections end.
func TestMeshLeavesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p pipenet.Network
		peers := map[string]string{"a": "addr-a", "b": "addr-b"}
		b := start(&p, "one", "b", "addr-b", peers)
		defer b.Close()
		dial := p.Dialer("addr-a")
		a := New(Config{
			Cluster: "one", Node: "a", Listener: p.Listen("addr-a"), Peers: peers, Logger: slog.New(slog.DiscardHandler),
			Dial: func(ctx context.Context, addr string) (net.Conn, error) {
				conn, err := dial(ctx, addr)
				return parting{conn, make(chan struct{}), new(sync.Once)}, err
			},
		}, nil)
		a.Start()
		for range 3 {
			if _, err := a.Dial(t.Context(), Commands, "b"); err != nil {
				t.Fatal(err)
			}
		}
		conn, err := a.Dial(t.Context(), Commands, "b")
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		conn.Close()
		a.Suspend(true)
		a.Learn("c", "addr-c")
		if took := time.Since(begun); took > 0 {
			t.Errorf("it took %v", took)
		}
		if err := a.Close(); err != nil || time.Since(begun) > partTimeout {
			t.Errorf("closed after %v: %v", time.Since(begun), err)
		}
	})
}

// A cluster that was never recovered speaks as nodes from before epochs do.
func TestHelloWithoutEpoch(t *testing.T) {
	h := hello{Raft, "c", "n", "a", Unrecovered}
	b, err := h.encode()
	if want := "CHRM\x01R\x00\x06\x01c\x01n\x01a"; err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
	if got, err := readHello(strings.NewReader(string(b))); err != nil || got != h {
		t.Errorf("%+v, %v", got, err)
	}
	answer, err := frame(byte(welcome), withEpoch(Unrecovered, "n")...)
	if err != nil {
		t.Fatal(err)
	}
	if node, epoch, err := readAnswer(strings.NewReader(string(answer))); err != nil || node != "n" || epoch != Unrecovered {
		t.Errorf("%q %q %v", node, epoch, err)
	}
}
