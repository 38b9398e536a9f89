package faults

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/store"
)

var clusterCuts = flag.Int("cluster-cuts", 1, "times that the network is cut in TestClusterCut")

// wire has the nodes' connections go through wires.
func (c *cluster) wire() {
	c.t.Helper()
	w, via, err := newWires(c.peers)
	if err != nil {
		c.t.Fatal(err)
	}
	c.wires = w
	c.t.Cleanup(func() { _ = w.close() })
	for _, m := range c.members {
		m.cfg.Cluster.Via = map[string]string{}
		for _, p := range c.peers {
			if p.Node != m.name() {
				m.cfg.Cluster.Via[p.Addr] = via[way{m.name(), p.Node}]
			}
		}
	}
}

// cutter cuts the network, for shorter and longer than the lease, and heals it.
type cutter struct {
	c   *cluster
	rng *rand.Rand
}

func (n *cutter) span(from, to time.Duration) time.Duration {
	return from + time.Duration(n.rng.Int64N(int64(to-from)))
}

// round cuts in one of the ways. The first one isolates the leader, for longer
// than the lease.
func (n *cutter) round(i int) {
	n.c.t.Helper()
	leader := n.c.awaitReady()
	time.Sleep(n.span(500*time.Millisecond, 1500*time.Millisecond))
	kinds := []string{cutAlone, cutAll, cutAlone, cutDeaf, cutMute, cutPair}
	kind := kinds[i%len(kinds)]
	m, role := leader, "leader"
	if i%len(kinds) == 2 || kind != cutAlone && kind != cutAll && n.rng.IntN(3) == 0 || kind == cutPair {
		for m == leader {
			m = n.c.members[n.rng.IntN(len(n.c.members))]
		}
		role = "follower"
	}
	cut := event{Kind: "cut", Text: kind, Op: role, Node: m.name()}
	if kind == cutAll {
		cut.Node, cut.Op = "everybody", ""
	}
	away := n.span(n.c.lease+500*time.Millisecond, 2*n.c.lease)
	if i > 0 && n.rng.IntN(2) == 0 {
		away = n.span(n.c.lease/6, n.c.lease)
	}
	n.c.wires.set(waysOf(kind, m.name(), leader.name(), clusterNames)...)
	n.c.rec.write(cut)
	time.Sleep(away)
	n.c.rec.write(event{Kind: "heal"})
	n.c.wires.set()
}

// TestClusterCut: the network between three nodes is cut, in every way there is. Who
// is alone starts nothing that was committed after the cut, and nothing at all
// beyond its lease; a majority goes on; afterwards all have the same bytes.
func TestClusterCut(t *testing.T) {
	t.Parallel()
	c := prepare(t, 200)
	c.wire()
	c.openAll()
	w := newCallers(c, append(clusterPlans(20), pulses(2)...))
	w.putAll()
	w.start()
	n := &cutter{c: c, rng: random(t)}
	for i := range *clusterCuts {
		n.round(i)
	}
	c.awaitReady()
	time.Sleep(time.Second)
	w.stop()
	c.settle()
	k := c.examine()
	all := allSevered(k, c.lease)
	if len(all) != *clusterCuts {
		t.Errorf("%d cuts are in the journal", len(all))
	}
	for _, s := range all {
		t.Log(s)
		for _, text := range s.wrong {
			t.Error(text)
		}
	}
	t.Log(cutFigures(all))
	c.identical()
}

// identical kills all nodes once they have applied the same entries and checks that
// they hold the same bytes.
func (c *cluster) identical() {
	c.t.Helper()
	c.eventually("all nodes have applied the same entries", time.Minute, func() bool {
		at := map[uint64]bool{}
		for range 2 {
			for _, m := range c.members {
				at[m.status().Applied] = true
			}
			time.Sleep(200 * time.Millisecond)
		}
		return len(at) == 1 && !at[0]
	})
	time.Sleep(5 * time.Second) // what a node has applied its state has after a second
	for _, m := range c.members {
		m.kill(m.process(), "end")
	}
	var first *store.Applied
	var sum []byte
	for _, m := range c.members {
		applied, bytesSum := c.content(m)
		if first == nil {
			first, sum = applied, bytesSum
		}
		if !proto.Equal(first, applied) || !bytes.Equal(sum, bytesSum) {
			c.t.Errorf("node %s is at %v (%x), node %s at %v (%x)", c.members[0].name(), first, sum, m.name(), applied, bytesSum)
		}
	}
	c.t.Logf("entry %d: %d records with digest %x on %d nodes, byte for byte", first.Index, first.Records, first.Digest, len(c.members))
}

// content reads the state of a node that is down: every byte of it.
func (c *cluster) content(m *member) (*store.Applied, []byte) {
	c.t.Helper()
	s, err := store.Open(store.Options{Dir: m.cfg.Dir})
	if err != nil {
		c.t.Fatal(err)
	}
	defer s.Close()
	snapshot, sum := s.Snapshot(), sha256.New()
	defer snapshot.Release()
	if _, err := snapshot.WriteTo(sum); err != nil {
		c.t.Fatal(err)
	}
	return s.Applied(), sum.Sum(nil)
}

// TestWires: what is sent while a way is cut comes when it has healed, and nothing
// before; the other direction goes on.
func TestWires(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w, via, err := newWires([]chronos.Peer{{Node: "a", Addr: "127.0.0.1:1"}, {Node: "b", Addr: l.Addr().String()}})
	if err != nil {
		t.Fatal(err)
	}
	near, err := net.Dial("tcp", via[way{"a", "b"}])
	if err != nil {
		t.Fatal(err)
	}
	far, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	says := func(from, to net.Conn, text string, within time.Duration) bool {
		if _, err := io.WriteString(from, text); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(text))
		_ = to.SetReadDeadline(time.Now().Add(within))
		_, err := io.ReadFull(to, got)
		return err == nil && string(got) == text
	}
	if !says(near, far, "one", time.Minute) || !says(far, near, "two", time.Minute) {
		t.Fatal("they do not hear each other")
	}
	w.set(way{"a", "b"})
	if says(near, far, "lost", 50*time.Millisecond) || !says(far, near, "three", time.Minute) {
		t.Fatal("one direction is not cut, or both are")
	}
	w.set()
	got := make([]byte, 4)
	_ = far.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "lost" {
		t.Fatalf("after healing: %q, %v", got, err)
	}
	near.Close()
	if _, err := far.Read(got); err == nil {
		t.Error("the end did not come")
	}
	far.Close()
	if err := w.close(); err != nil {
		t.Error(err)
	}
}

// TestSevered: what nobody may start while a network is cut is noticed.
func TestSevered(t *testing.T) {
	const lease = 3 * time.Second
	story := func(kind string) []event {
		at := func(ms int64, kind, node string, token uint64) event {
			return event{T: ms * 1e6, Mono: ms * 1e6, Kind: kind, Node: node, Token: token}
		}
		cut := at(1000, "cut", "a", 0)
		cut.Text = kind
		return []event{at(500, "start", "a", 9), cut, at(1500, "start", "a", 10), at(2500, "start", "b", 12), at(9000, "heal", "", 0)}
	}
	made := &dump{Jobs: map[string]*jobDump{"x": {Rows: []rowDump{{Created: 2000e6, Tokens: []uint64{12}}, {Created: 1, Tokens: []uint64{10}}}}}}
	judge := func(journal []event) *severed {
		k := newChecker(journal, made, true)
		return allSevered(k, lease)[0]
	}
	for _, kind := range []string{cutAlone, cutDeaf, cutMute} {
		if s := judge(story(kind)); len(s.wrong) > 0 || s.others != 1500*time.Millisecond || s.kept != 1 {
			t.Errorf("%s: %v, %s", kind, s.wrong, s)
		}
		late := story(kind)
		late[2].Mono = 4500e6
		if s := judge(late); len(s.wrong) != 1 {
			t.Errorf("%s: a start beyond the lease: %v", kind, s.wrong)
		}
		fresh := story(kind)
		fresh[2].Token = 13
		if s := judge(fresh); len(s.wrong) != 1 && kind != cutMute {
			t.Errorf("%s: a start of what was committed after the cut: %v", kind, s.wrong)
		}
	}
	quiet := slices.Delete(story(cutAlone), 3, 4)
	quiet[3].Mono = int64(time.Minute)
	if s := judge(quiet); len(s.wrong) != 1 {
		t.Errorf("a majority that does nothing: %v", s.wrong)
	}
	if s := judge(story(cutAll)); len(s.wrong) != 1 {
		t.Errorf("a start without a majority: %v", s.wrong)
	}
	if n := len(waysOf(cutAlone, "a", "", clusterNames)) + 10*len(waysOf(cutPair, "a", "b", clusterNames)) + 100*len(waysOf(cutAll, "", "", clusterNames)) +
		1000*len(waysOf(cutDeaf, "a", "", clusterNames)); n != 2624 {
		t.Error(fmt.Sprint("ways ", n))
	}
}
