package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// fakeRaft answers proposals as a test wants, and keeps what it was given.
type fakeRaft struct {
	mu      sync.Mutex
	entries []*Batch
	answer  func(attempt int, b *Batch) (error, bool) // false: never answers
	delay   time.Duration
	flying  atomic.Int32
	most    atomic.Int32
	never   chan struct{}
	stopErr atomic.Pointer[error]
}

func (f *fakeRaft) stopped() error {
	if p := f.stopErr.Load(); p != nil {
		return *p
	}
	return nil
}

func (f *fakeRaft) stop(err error) { f.stopErr.Store(&err) }

type fakeFuture struct {
	f   *fakeRaft
	b   *Batch
	err error
	ok  bool
}

func (f *fakeFuture) Index() uint64 { return 1 }

func (f *fakeFuture) Error() error {
	if !f.ok {
		<-f.f.never
		return raft.ErrRaftShutdown
	}
	if f.f.delay > 0 {
		time.Sleep(f.f.delay)
	}
	f.f.flying.Add(-1)
	return f.err
}

func (f *fakeFuture) Response() any {
	r := &entryResult{}
	for _, c := range f.b.Commands {
		r.results = append(r.results, &Result{Text: c.Note})
	}
	return r
}

func (f *fakeRaft) apply(data []byte, _ time.Duration) raft.ApplyFuture {
	b, err := decodeBatch(data)
	if err != nil {
		panic(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.entries = append(f.entries, b)
	f.most.Store(max(f.most.Load(), f.flying.Add(1)))
	out := &fakeFuture{f: f, b: b, ok: true}
	if f.answer != nil {
		out.err, out.ok = f.answer(len(f.entries), b)
	}
	return out
}

func (f *fakeRaft) seen() []*Batch {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.entries)
}

func startProposer(f *fakeRaft, with ...func(*proposer)) *proposer {
	f.never = make(chan struct{})
	p := &proposer{apply: f.apply, fsm: f, timeout: 10 * time.Second, patience: 5 * time.Second}
	for _, fn := range with {
		fn(p)
	}
	return newProposer(p)
}

func (f *fakeRaft) end(p *proposer) {
	p.close(time.Second)
	close(f.never)
	p.waiting.Wait()
}

func noted(note string, size int) *Command {
	return &Command{Note: note, Body: &Command_Trigger{Trigger: &Trigger{Job: "j", Payload: make([]byte, size)}}}
}

func TestProposerPacksAndAnswersInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{delay: time.Millisecond}
		p := startProposer(f)
		defer f.end(p)
		var wg sync.WaitGroup
		for caller := range 200 {
			wg.Go(func() {
				for round := range 20 {
					var cmds []*Command
					for i := range 1 + caller%3 {
						cmds = append(cmds, noted(fmt.Sprint(caller, round, i), 0))
					}
					res, err := p.propose(t.Context(), cmds)
					if err != nil || len(res) != len(cmds) {
						t.Errorf("caller %d: %v, %d results", caller, err, len(res))
						return
					}
					for i, r := range res {
						if r.Text != cmds[i].Note {
							t.Errorf("caller %d got %q for %q", caller, r.Text, cmds[i].Note)
						}
					}
				}
			})
		}
		wg.Wait()
		total := 0
		for _, e := range f.seen() {
			total += len(e.Commands)
		}
		if total != 20*(67+2*67+3*66) || len(f.seen()) > total/20 {
			t.Errorf("%d commands in %d entries", total, len(f.seen()))
		}
		if f.most.Load() > lanes {
			t.Errorf("%d entries under way at once", f.most.Load())
		}
	})
}

func TestProposerLimits(t *testing.T) {
	f := &fakeRaft{}
	p := startProposer(f)
	defer f.end(p)
	for name, cmds := range map[string][]*Command{
		"bytes":  {noted("", entryBytes)},
		"weight": {{Body: &Command_Backfill{Backfill: &Backfill{Due: make([]int64, entryCells)}}}},
		"second": {noted("", 1), noted("", entryBytes)},
	} {
		if _, err := p.propose(t.Context(), cmds); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, cmds := range map[string][]*Command{"nil": {nil}, "no body": {{}}} {
		if _, err := p.propose(t.Context(), cmds); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if len(f.seen()) != 0 {
		t.Error("a refused call left something in the log")
	}
	if res, err := p.propose(t.Context(), nil); err != nil || len(res) != 0 {
		t.Errorf("nothing: %v %v", res, err)
	}
	var many []*Command
	for i := range 40 {
		many = append(many, noted(fmt.Sprint(i), 40<<10))
	}
	res, err := p.propose(t.Context(), many)
	if err != nil || len(res) != len(many) {
		t.Fatalf("split call: %v, %d results", err, len(res))
	}
	for i, r := range res {
		if r.Text != fmt.Sprint(i) {
			t.Errorf("result %d is %q", i, r.Text)
		}
	}
	for _, e := range f.seen() {
		data, _ := encodeBatch(e)
		if len(data) > entryBytes+envelopeHeader || len(data) > raft.SuggestedMaxDataSize {
			t.Errorf("entry of %d bytes", len(data))
		}
	}
}

func TestProposerCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{delay: time.Minute}
		p := startProposer(f, func(p *proposer) { p.timeout = time.Hour })
		defer f.end(p)
		cause := errors.New("enough")
		try := func(after time.Duration) error {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			time.AfterFunc(after, func() { cancel(cause) })
			_, err := p.propose(ctx, []*Command{noted("", 0)})
			return err
		}
		var wg sync.WaitGroup
		for range lanes { // the lanes are busy with these
			wg.Go(func() {
				if err := try(time.Second); !errors.Is(err, cause) || !errors.Is(err, ErrUncertain) {
					t.Errorf("under way: %v", err)
				}
			})
			synctest.Wait()
		}
		wg.Go(func() { // and this one is never proposed
			if err := try(time.Second); !errors.Is(err, cause) || errors.Is(err, ErrUncertain) {
				t.Errorf("still queued: %v", err)
			}
		})
		wg.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := p.propose(ctx, []*Command{noted("", 0)}); !errors.Is(err, context.Canceled) || errors.Is(err, ErrUncertain) {
			t.Errorf("canceled before: %v", err)
		}
		time.Sleep(2 * time.Minute)
		if len(f.seen()) != lanes {
			t.Errorf("%d entries, a withdrawn command was proposed", len(f.seen()))
		}
	})
}

// TestProposerRetries: whatever leaves the outcome open is asked again with
// the same commands, until there is an answer.
func TestProposerRetries(t *testing.T) {
	for _, cause := range []error{
		raft.ErrLeadershipLost, raft.ErrNotLeader, raft.ErrEnqueueTimeout,
		raft.ErrLeadershipTransferInProgress, raft.ErrAbortedByRestore,
	} {
		synctest.Test(t, func(t *testing.T) {
			f := &fakeRaft{answer: func(n int, _ *Batch) (error, bool) {
				if n <= 4 {
					return cause, true
				}
				return nil, true
			}}
			p := startProposer(f)
			defer f.end(p)
			c := noted("same", 3)
			c.Id = commandID()
			res, err := p.propose(t.Context(), []*Command{c})
			if err != nil || res[0].Text != "same" || len(f.seen()) != 5 {
				t.Fatalf("%v: %v %v after %d attempts", cause, res, err, len(f.seen()))
			}
			for _, e := range f.seen() {
				if string(e.Commands[0].Id) != string(c.Id) {
					t.Error("asked again under another ID")
				}
			}
		})
	}
}

// TestProposerForgottenFuture: Raft never answers (#498).
func TestProposerForgottenFuture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{answer: func(n int, _ *Batch) (error, bool) { return nil, n > 2 }}
		p := startProposer(f)
		defer f.end(p)
		start := time.Now()
		if _, err := p.propose(t.Context(), []*Command{noted("", 0)}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d < 20*time.Second || d > 30*time.Second {
			t.Errorf("took %v", d)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{answer: func(int, *Batch) (error, bool) { return nil, false }}
		p := startProposer(f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := p.propose(ctx, []*Command{noted("", 0)}); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, ErrUncertain) {
			t.Errorf("got %v", err)
		}
		if len(f.seen()) > owedLimit+lanes {
			t.Errorf("%d attempts: each one grows the log", len(f.seen()))
		}
		start := time.Now()
		f.end(p)
		if time.Since(start) > 2*time.Second {
			t.Errorf("close took %v", time.Since(start))
		}
	})
}

func TestProposerNoLeader(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{answer: func(n int, _ *Batch) (error, bool) {
			if n == 1 {
				return raft.ErrLeadershipLost, true
			}
			return raft.ErrNotLeader, true
		}}
		p := startProposer(f)
		defer f.end(p)
		start := time.Now()
		if _, err := p.propose(t.Context(), []*Command{noted("", 0)}); !errors.Is(err, ErrNoLeader) || !errors.Is(err, ErrUncertain) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(start); d < p.patience || d > p.patience+time.Second {
			t.Errorf("gave up after %v", d)
		}
		if _, err := p.propose(t.Context(), []*Command{noted("", 0)}); !errors.Is(err, ErrNoLeader) || errors.Is(err, ErrUncertain) {
			t.Errorf("never accepted by anybody: %v", err)
		}
	})
}

func TestProposerClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{answer: func(int, *Batch) (error, bool) { return nil, false }}
		p := startProposer(f, func(p *proposer) { p.timeout = time.Hour })
		var wg sync.WaitGroup
		var open, sure atomic.Int32
		for range 50 {
			wg.Go(func() {
				_, err := p.propose(t.Context(), []*Command{noted("", 100<<10)})
				if !errors.Is(err, ErrClosed) {
					t.Errorf("got %v", err)
				}
				if errors.Is(err, ErrUncertain) {
					open.Add(1)
				} else {
					sure.Add(1)
				}
			})
		}
		synctest.Wait()
		f.end(p)
		wg.Wait()
		if open.Load() == 0 || sure.Load() == 0 {
			t.Errorf("%d open, %d certain", open.Load(), sure.Load())
		}
		if _, err := p.propose(t.Context(), []*Command{noted("", 0)}); !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	})
}

func TestProposerFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeRaft{}
		var full atomic.Bool
		p := startProposer(f, func(p *proposer) {
			p.room = func() error {
				if full.Load() {
					return store.ErrDiskFull
				}
				return nil
			}
		})
		defer f.end(p)
		for i, want := range []bool{false, true, true, false, true, false} {
			full.Store(want)
			_, err := p.propose(t.Context(), []*Command{noted("", 0)})
			if errors.Is(err, store.ErrDiskFull) != want || errors.Is(err, ErrUncertain) {
				t.Errorf("%d: full %v, got %v", i, want, err)
			}
		}
		if len(f.seen()) != 3 {
			t.Errorf("%d entries", len(f.seen()))
		}
	})
}

// TestProposerWrongAnswer: results that do not match stop the node.
func TestProposerWrongAnswer(t *testing.T) {
	f := &fakeRaft{}
	p := startProposer(f, func(p *proposer) {
		p.apply = func(data []byte, d time.Duration) raft.ApplyFuture {
			fut := f.apply(data, d).(*fakeFuture)
			fut.b = &Batch{}
			return fut
		}
	})
	defer f.end(p)
	if _, err := p.propose(t.Context(), []*Command{noted("", 0)}); !errors.Is(err, ErrStopped) || !errors.Is(err, ErrUncertain) {
		t.Errorf("got %v", err)
	}
	if f.stopped() == nil {
		t.Error("the node goes on")
	}
}
