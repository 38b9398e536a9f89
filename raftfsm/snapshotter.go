package raftfsm

import (
	"errors"
	"fmt"
	"io"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// Snapshot implements raft.FSM. It is cheap: it pins a state, once Badger has it
// without the log, which may be shortened behind a snapshot. A stopped state machine
// has none: Raft believes that every entry it handed over was applied, so a snapshot
// would claim what the state does not hold.
func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	if err := f.stopped(); err != nil {
		return nil, stoppedBy(err)
	}
	if g := f.st.Guard(); g != nil {
		if err := g.Check(); err != nil {
			return nil, err
		}
	}
	if err := f.st.Flush(); err != nil {
		return nil, err
	}
	return &snapshotter{content: f.st.Snapshot(), stop: f.stopCh, fail: f.stop}, nil
}

// errStale: a snapshot came behind what followed it. A leader sends one more than once, over
// more than one connection, when it takes a node out and in again; Raft takes whichever
// comes last, and panics then, because its log begins behind the newer one. Going back
// would start once more what has been started.
var errStale = errors.New("raftfsm: a snapshot came too late")

// Restore implements raft.FSM. The store swaps the new state in when it is
// complete and verified; a kill half-way leaves the old one.
func (f *fsm) Restore(r io.ReadCloser) error {
	if err := f.stopped(); err != nil {
		return stoppedBy(err)
	}
	if c, ok := contentOf(r); ok && c.index < f.st.Index() {
		return fmt.Errorf("%w: the snapshot is of entry %d, the state of %d", errStale, c.index, f.st.Index())
	}
	if err := f.st.Restore(r); err != nil {
		return err
	}
	if at := levelOf(f.st.Applied()); at > f.level {
		err := fmt.Errorf("%w (level %d; this program knows %d)", ErrLevel, at, f.level)
		f.stop(err)
		return err
	}
	if err := f.reload(); err != nil {
		return err
	}
	if f.trail != nil {
		f.trail.restart(f.st.Applied())
	}
	f.onApply(&Effects{Restored: true})
	f.applied.advance(f.st.Index())
	return nil
}

// snapshotter writes a pinned state to Raft's sink while Apply goes on.
type snapshotter struct {
	content *store.Snapshot
	stop    <-chan struct{}
	fail    func(error)
}

// Persist implements raft.FSMSnapshot. It gives up when the node closes.
func (s *snapshotter) Persist(sink raft.SnapshotSink) error {
	_, err := s.content.WriteTo(abortable{w: sink, stop: s.stop})
	if err != nil {
		_ = sink.Cancel()
		if errors.Is(err, store.ErrCorrupt) {
			s.fail(err) // writing it out has read and summed up all of the state
		}
		return err
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (s *snapshotter) Release() { s.content.Release() }

// abortable fails as soon as stop is closed.
type abortable struct {
	w    io.Writer
	stop <-chan struct{}
}

func (a abortable) Write(p []byte) (int, error) {
	select {
	case <-a.stop:
		return 0, ErrClosed
	default:
		return a.w.Write(p)
	}
}

// restorer keeps why a restore failed: Raft turns it into text, and tries the
// next snapshot.
type restorer struct {
	*fsm
	err error
}

// Restore implements raft.FSM.
func (r *restorer) Restore(in io.ReadCloser) error {
	err := r.fsm.Restore(in)
	r.err = errors.Join(r.err, err)
	return err
}
