package raftfsm

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// TestProposerPipelines: the entries of one call follow each other into the log without
// waiting for answers, in order. A node that does not lead sends one after the other.
func TestProposerPipelines(t *testing.T) {
	for _, leads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeRaft{delay: time.Millisecond}
			p := startProposer(f, func(p *proposer) { p.leads = func() bool { return leads } })
			defer f.end(p)
			cmds := manyNoted("", 100)
			began := time.Now()
			res, err := p.propose(t.Context(), cmds)
			if err != nil || len(res) != len(cmds) {
				t.Fatalf("%d results, %v", len(res), err)
			}
			var order []string
			for _, e := range f.seen() {
				for _, c := range e.Commands {
					order = append(order, c.Note)
				}
			}
			for i, c := range cmds {
				if res[i].Text != c.Note || order[i] != c.Note {
					t.Fatalf("command %s was answered with %s, and came as %s", c.Note, res[i].Text, order[i])
				}
			}
			want, took := len(f.seen()), int(time.Since(began)/time.Millisecond)
			if leads {
				want = (want + 1) / lanes
			}
			if took != want {
				t.Errorf("leads %v: %d entries took %d ms, not %d", leads, len(f.seen()), took, want)
			}
		})
	}
}

func manyNoted(prefix string, n int) (cmds []*Command) {
	for i := range n {
		cmds = append(cmds, noted(fmt.Sprint(prefix, i), 40<<10))
	}
	return cmds
}

// shakyRaft applies entries in order, and loses its leadership now and then: then nobody
// can tell how many of those under way were committed.
type shakyRaft struct {
	fakeRaft
	random  *rand.Rand
	waiting []*shakyFuture
	applied []string // notes, the first time that each came
	known   map[string]bool
	losses  int
}

type shakyFuture struct {
	batch *Batch
	done  chan error
}

func (f *shakyFuture) Index() uint64 { return 1 }
func (f *shakyFuture) Error() error  { return <-f.done }
func (f *shakyFuture) Response() any {
	return (&fakeFuture{b: f.batch}).Response()
}

func (s *shakyRaft) apply(data []byte, _ time.Duration) raft.ApplyFuture {
	b, err := decodeBatch(data)
	if err != nil {
		panic(err)
	}
	f := &shakyFuture{batch: b, done: make(chan error, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = append(s.waiting, f)
	return f
}

// step applies the first of what is under way, or loses the leadership.
func (s *shakyRaft) step() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiting) == 0 {
		return
	}
	if s.random.IntN(4) > 0 {
		s.commit(s.waiting[0])
		s.waiting[0].done <- nil
		s.waiting = s.waiting[1:]
		return
	}
	s.losses++
	for _, f := range s.waiting[:s.random.IntN(len(s.waiting)+1)] {
		s.commit(f)
	}
	for _, f := range s.waiting {
		f.done <- raft.ErrLeadershipLost
	}
	s.waiting = nil
}

func (s *shakyRaft) commit(f *shakyFuture) {
	for _, c := range f.batch.Commands {
		if !s.known[c.Note] {
			s.known[c.Note] = true
			s.applied = append(s.applied, c.Note)
		}
	}
}

// TestProposerKeepsOrder: what one call hands over is applied in order for the first time,
// however often the leadership is lost in between.
func TestProposerKeepsOrder(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			s := &shakyRaft{random: rand.New(rand.NewPCG(seed, 1)), known: map[string]bool{}}
			s.never = make(chan struct{})
			p := newProposer(&proposer{apply: s.apply, fsm: s, timeout: time.Minute, patience: time.Minute})
			ctx, stop := context.WithCancel(t.Context())
			var clock, callers sync.WaitGroup
			clock.Go(func() {
				for ctx.Err() == nil {
					time.Sleep(time.Millisecond)
					s.step()
				}
			})
			for caller := range 3 {
				callers.Go(func() {
					if res, err := p.propose(ctx, manyNoted(fmt.Sprint(caller, "/"), 60)); err != nil || len(res) != 60 {
						t.Errorf("caller %d: %d results, %v", caller, len(res), err)
					}
				})
			}
			callers.Wait()
			stop()
			clock.Wait()
			p.close(time.Second)
			p.waiting.Wait()
			next := map[string]int{}
			for _, note := range s.applied {
				caller, _, _ := strings.Cut(note, "/")
				if want := fmt.Sprint(caller, "/", next[caller]); note != want {
					t.Fatalf("seed %d: %s was applied when it was the turn of %s (%d losses)", seed, note, want, s.losses)
				}
				next[caller]++
			}
			if s.losses == 0 {
				t.Error("nothing was ever lost")
			}
		})
	}
}
