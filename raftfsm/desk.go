package raftfsm

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// stage is how far a node is from being a member of a formed cluster.
type stage byte

const (
	stageUnknown  stage = iota // it cannot say
	stageNew                   // it has nothing yet
	stageMember                // there is a cluster, and who asks is a member
	stageStranger              // … and is none
)

// desk answers the questions of other nodes.
type desk struct {
	node  *Node
	first atomic.Int32  // stage before the log is open
	open  chan struct{} // closed when commands are taken
	once  sync.Once
	owned sync.WaitGroup

	judging atomic.Bool // one comparison of sums at a time
}

const (
	// deskMax is how many questions of one node are worked on at once.
	deskMax = 16
	// deskWrite bounds how long an answer may take to be sent.
	deskWrite = 10 * time.Second
)

func newDesk(n *Node) *desk { return &desk{node: n, open: make(chan struct{})} }

func (d *desk) setStage(s stage) { d.first.Store(int32(s)) }

// take lets commands in: the log is open.
func (d *desk) take() { d.once.Do(func() { close(d.open) }) }

func (d *desk) wait() { d.owned.Wait() }

// serve answers one node until its connection ends.
func (d *desk) serve(from string, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	places := make(chan struct{}, deskMax)
	var sending sync.Mutex
	for {
		f, err := readFrame(conn)
		if err != nil {
			return
		}
		d.note(from)
		select {
		case places <- struct{}{}:
		case <-d.node.closing:
			return
		}
		d.owned.Go(func() {
			defer func() { <-places }()
			code, body := d.answer(ctx, from, f)
			sending.Lock()
			defer sending.Unlock()
			_ = conn.SetWriteDeadline(time.Now().Add(deskWrite))
			if _, err := conn.Write(wireFrame{f.number, code, body}.encode()); err != nil {
				cancel()
			}
		})
	}
}

func (d *desk) answer(ctx context.Context, from string, f wireFrame) (code byte, body []byte) {
	switch f.code {
	case askStage:
		return saidStage, []byte{byte(d.stageFor(ctx, from))}
	case askCommands:
		return d.commit(ctx, f.body)
	case askBeat:
		return d.hear(from, f.body)
	case askSum:
		return d.sum(f.body)
	case askJoin, askLeave, askRemove:
		return d.change(from, f)
	}
	return saidWrong, []byte("unknown question")
}

// leads tells if commands are taken here.
func (d *desk) leads() bool {
	select {
	case <-d.open:
		return d.node.IsLeader()
	default:
		return false
	}
}

// note counts a question as a sign of life, if who asks is a member.
func (d *desk) note(from string) {
	if !d.leads() {
		return
	}
	if _, member := d.node.suffrage(from); member {
		d.node.beats.called(from)
	}
}

// stageFor says what this node knows of the cluster, and of who asks.
func (d *desk) stageFor(ctx context.Context, from string) stage {
	select {
	case <-d.open:
	default:
		return stage(d.first.Load())
	}
	if d.node.raft.LastIndex() <= 1 {
		return stageNew // its configuration, and nothing else
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, before := d.node.suffrage(from)
	if _, err := d.node.Propose(ctx, []*Command{{Body: &Command_Barrier{Barrier: &Barrier{}}}}); err != nil {
		return stageUnknown // what it knows may be old
	}
	_, after := d.node.suffrage(from)
	switch {
	case before && after:
		return stageMember
	case before || after:
		return stageUnknown // a change is under way, and may come to nothing
	}
	return stageStranger
}

// change changes who is a member, if this node leads.
func (d *desk) change(from string, f wireFrame) (code byte, answer []byte) {
	if !d.leads() {
		return saidAgain, nil
	}
	var err error
	switch f.code {
	case askJoin:
		err = d.node.admit(from, len(f.body) == 1 && f.body[0] == 1)
	case askLeave:
		if d.node.mayLive(from) {
			return saidWrong, []byte(fmt.Sprintf("a process that is node %q is alive: give this one another name", from))
		}
		err = d.node.removeOnce(context.Background(), from)
	case askRemove:
		err = d.node.removeOnce(context.Background(), string(f.body))
	}
	if err != nil {
		return saidAgain, []byte(err.Error())
	}
	return saidDone, nil
}

// hear takes a beat, if this node leads, and answers with what it knows of the
// members. What follows the incarnation older nodes do not send.
func (d *desk) hear(from string, body []byte) (code byte, answer []byte) {
	beat := &Beat{}
	if len(body) < incarnationBytes || proto.Unmarshal(body[incarnationBytes:], beat) != nil {
		return saidWrong, nil
	}
	if !d.leads() {
		return saidAgain, nil
	}
	if _, member := d.node.suffrage(from); !member {
		return saidAgain, nil
	}
	incarnation := binary.BigEndian.Uint64(body)
	d.node.beats.arrive(from, incarnation)
	if d.node.expired(from, incarnation) { // a large write may hold this up
		return saidWrong, []byte("that session has ended")
	}
	d.node.beats.hear(from, incarnation)
	d.compare(from, beat.Marks)
	report := d.node.report()
	report.Odd = d.node.roll.verdict(from)
	answer, err := proto.Marshal(report)
	if err != nil {
		answer = nil // the beat was heard all the same
	}
	return saidDone, answer
}

// commit puts another node's commands into the log, if this node leads.
func (d *desk) commit(ctx context.Context, body []byte) (code byte, answer []byte) {
	if !d.leads() {
		return saidAgain, nil
	}
	r, err := decodeCommands(body, d.node.cfg.level())
	if err != nil {
		return saidWrong, []byte(err.Error())
	}
	ctx, cancel := context.WithTimeout(ctx, d.node.cfg.EntryTimeout)
	defer cancel()
	r.ctx = ctx
	results, err := d.node.prop.submit(r)
	switch {
	case err == nil:
		if answer, err = encodeResults(results); err == nil {
			return saidDone, answer
		}
		return saidUnsure, []byte(err.Error())
	case errors.Is(err, ErrUncertain):
		return saidUnsure, []byte(err.Error())
	case errors.Is(err, store.ErrDiskFull):
		return saidFull, []byte(err.Error())
	}
	return saidAgain, []byte(err.Error())
}
