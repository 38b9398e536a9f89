package chronostest

import (
	"slices"
	"testing/synctest"
)

// up is a node that is there and runs.
func (k *Kit) up(name string) *node {
	k.tb.Helper()
	n := k.known(name)
	if n.s == nil {
		k.tb.Fatalf("chronostest: %s is down; Restart it first", name)
	}
	return n
}

func (k *Kit) known(name string) *node {
	k.tb.Helper()
	n := k.nodes[name]
	if n == nil {
		k.tb.Fatalf("chronostest: there is no node %q; there are %q", name, k.names)
	}
	return n
}

// Stop ends a node as a deployment does: its Run gets its DrainTimeout, which is
// virtual time, then it is closed. A single scheduler in memory is not closed,
// since it would forget everything: only its Run ends, and nothing is due until
// Restart. The test fails if Run or Close return an error.
func (k *Kit) Stop(name string) {
	k.tb.Helper()
	n := k.up(name)
	err := n.halt()
	if err == nil && n.dir != "" {
		err = n.close(len(k.names) == 1)
	}
	if err != nil {
		k.tb.Errorf("chronostest: Stop: %v", err)
	}
	synctest.Wait()
}

// Kill ends a node as kill -9 does, as far as anybody else can tell: it is cut off
// at once, and what is in its directory at this moment is all that Restart finds.
// A goroutine cannot be killed, so the contexts of handlers that it runs end (the
// cause is ErrStopping), and what they return is lost. A single scheduler has to be
// OnDisk.
func (k *Kit) Kill(name string) {
	k.tb.Helper()
	n := k.up(name)
	if n.dir == "" {
		k.tb.Fatal("chronostest: Kill: a scheduler in memory would forget everything; set Options.OnDisk")
	}
	k.net.Isolate(n.addr)
	dir, err := n.image()
	if err != nil {
		k.tb.Fatalf("chronostest: Kill: copying the directory of %s: %v", name, err)
	}
	dead := *n
	k.gone.Go(func() {
		dead.process.Kill()
		_ = dead.close(false) // nobody is there to hear of it
	})
	n.s, n.ran, n.dir, n.cut = nil, nil, dir, false
	synctest.Wait()
}

// Restart starts a node that was stopped or killed: its directory is opened,
// Options.Declare called, and it runs. In a cluster that has lost its majority it
// fails the test, after a minute of virtual time; RestartAll starts several at once.
func (k *Kit) Restart(name string) {
	k.tb.Helper()
	n := k.known(name)
	switch {
	case n.ran != nil:
		k.tb.Fatalf("chronostest: Restart: %s is up; Stop or Kill it first", name)
	case n.s != nil: // in memory
		n.run()
		synctest.Wait()
	default:
		k.begin(name)
	}
}

// RestartAll is Restart of all nodes that are down, at the same time.
func (k *Kit) RestartAll() {
	k.tb.Helper()
	if n := k.nodes[k.names[0]]; n.s != nil && n.ran == nil { // one in memory
		k.Restart(n.name)
		return
	}
	down := slices.DeleteFunc(slices.Clone(k.names), func(name string) bool { return k.nodes[name].s != nil })
	k.begin(down...)
}

// CutOff takes a node of a cluster off the network. It goes on by itself: it gives
// up what it runs before its lease (Cluster.Lease) ends, and the others take over.
func (k *Kit) CutOff(name string) {
	k.tb.Helper()
	n := k.member("CutOff", name)
	n.cut = true
	k.net.Isolate(n.addr)
}

// Reconnect undoes CutOff.
func (k *Kit) Reconnect(name string) {
	k.tb.Helper()
	n := k.member("Reconnect", name)
	n.cut = false
	k.net.Join(n.addr)
}

func (k *Kit) member(what, name string) *node {
	k.tb.Helper()
	n := k.up(name)
	if len(k.names) == 1 {
		k.tb.Fatalf("chronostest: %s: a single scheduler has no network; set Options.Nodes", what)
	}
	return n
}
