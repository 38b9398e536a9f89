package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
	"github.com/chronos-go/chronos/store"
)

// links are this node's connections to other nodes' desks, made when they are
// needed.
type links struct {
	mesh *mesh.Mesh

	mu    sync.Mutex
	byID  map[string]*link
	down  bool
	owned sync.WaitGroup
}

// link is one of them. Questions share it; each waits for its own answer.
type link struct {
	conn    net.Conn
	sending chan struct{} // held while a question is written

	mu      sync.Mutex
	next    uint64
	waiting map[uint64]chan wireFrame
	broken  bool
}

func newLinks(m *mesh.Mesh) *links { return &links{mesh: m, byID: map[string]*link{}} }

var errLinkLost = errors.New("raftfsm: the connection ended before the answer came")

// ask sends a question to a node and waits for the answer. sent says whether
// the question may have arrived.
func (l *links) ask(ctx context.Context, node string, code byte, body []byte) (answer wireFrame, sent bool, err error) {
	k, err := l.get(ctx, node)
	if err != nil {
		return wireFrame{}, false, err
	}
	number, ch := k.expect()
	if ch == nil {
		return wireFrame{}, false, errLinkLost
	}
	if sent, err := k.send(ctx, wireFrame{number, code, body}); err != nil {
		k.forget(number)
		return wireFrame{}, sent, err
	}
	select {
	case answer, ok := <-ch:
		if !ok {
			return wireFrame{}, true, errLinkLost
		}
		return answer, true, nil
	case <-ctx.Done():
		k.forget(number)
		return wireFrame{}, true, context.Cause(ctx)
	}
}

// send writes a question, when those before it are written.
func (k *link) send(ctx context.Context, f wireFrame) (sent bool, err error) {
	select {
	case k.sending <- struct{}{}:
	case <-ctx.Done():
		return false, context.Cause(ctx)
	}
	defer func() { <-k.sending }()
	until := time.Now().Add(deskWrite)
	if d, ok := ctx.Deadline(); ok && d.Before(until) {
		until = d
	}
	_ = k.conn.SetWriteDeadline(until)
	if _, err := k.conn.Write(f.encode()); err != nil {
		k.breakOff() // half a frame may be out
		return true, err
	}
	return true, nil
}

// get finds the connection to a node, or makes it.
func (l *links) get(ctx context.Context, node string) (*link, error) {
	l.mu.Lock()
	k := l.byID[node]
	l.mu.Unlock()
	if k != nil && k.works() {
		return k, nil
	}
	conn, err := l.mesh.Dial(ctx, mesh.Commands, node)
	if err != nil {
		return nil, err
	}
	made := &link{conn: conn, sending: make(chan struct{}, 1), waiting: map[uint64]chan wireFrame{}}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		conn.Close()
		return nil, ErrClosed
	}
	if k := l.byID[node]; k != nil && k.works() { // somebody was faster
		conn.Close()
		return k, nil
	}
	l.byID[node] = made
	l.owned.Go(made.listen)
	return made, nil
}

func (l *links) close() {
	l.mu.Lock()
	l.down = true
	for _, k := range l.byID {
		k.breakOff()
	}
	l.mu.Unlock()
	l.owned.Wait()
}

func (k *link) works() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return !k.broken
}

// expect gives a question its number, and the channel of its answer; nil when
// the connection has ended.
func (k *link) expect() (uint64, chan wireFrame) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.broken {
		return 0, nil
	}
	k.next++
	ch := make(chan wireFrame, 1)
	k.waiting[k.next] = ch
	return k.next, ch
}

func (k *link) forget(number uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.waiting, number)
}

// listen hands out the answers until the connection ends.
func (k *link) listen() {
	defer k.breakOff()
	for {
		f, err := readFrame(k.conn)
		if err != nil {
			return
		}
		k.mu.Lock()
		if ch := k.waiting[f.number]; ch != nil {
			ch <- f
			delete(k.waiting, f.number)
		}
		k.mu.Unlock()
	}
}

// breakOff ends the connection; who waits for an answer is told.
func (k *link) breakOff() {
	k.conn.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = true
	for number, ch := range k.waiting {
		close(ch)
		delete(k.waiting, number)
	}
}

// commit asks a node, which should lead, to commit commands. Its errors are
// those that the proposer knows from Raft.
func (l *links) commit(ctx context.Context, node string, body []byte) (results []*Result, index uint64, err error) {
	f, sent, err := l.ask(ctx, node, askCommands, body)
	if err != nil && sent {
		return nil, 0, fmt.Errorf("%w (%v)", raft.ErrLeadershipLost, err) // it may have committed them
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%w (%v)", raft.ErrNotLeader, err)
	}
	switch f.code {
	case saidDone:
		return decodeResults(f.body)
	case saidAgain:
		return nil, 0, raft.ErrNotLeader
	case saidFull:
		return nil, 0, fmt.Errorf("%w: on the leader %q: %s", store.ErrDiskFull, node, f.body)
	case saidWrong:
		return nil, 0, fmt.Errorf("raftfsm: the leader %q cannot read the commands: %s", node, f.body)
	}
	return nil, 0, fmt.Errorf("%w (%s)", raft.ErrLeadershipLost, f.body)
}
