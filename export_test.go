package chronos

import (
	"context"
	"errors"

	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

// StateOf is where a node's state stands, and its digest.
func StateOf(s *Scheduler) (index, digest uint64) {
	a := s.node.Store().Applied()
	return a.Index, a.Digest
}

// Corrupt changes a scheduler's state beside the log, so that its own checks find
// nothing wrong with it. Nothing may be applied meanwhile.
func Corrupt(s *Scheduler) error {
	tx := s.node.Store().Begin()
	defer tx.Discard()
	if err := tx.PutHeld("ghost", &store.Held{Node: "nobody", Token: 1}); err != nil {
		return err
	}
	return tx.Commit()
}

// ExpireInPart ends the lease of a node and resolves nothing of what it held: what a
// leader leaves that dies after the first of several entries.
func ExpireInPart(ctx context.Context, leader *Scheduler, node string) error {
	sess := leader.sessions()[node]
	body := &raftfsm.Expire{
		Node: node, Incarnation: sess.GetIncarnation(), Term: leader.Status().Term, After: store.JoinID("zzz", "zzz"),
	}
	res, err := leader.propose(ctx, &raftfsm.Command{Body: &raftfsm.Command_Expire{Expire: body}})
	if err == nil && res.Code != raftfsm.Code_CODE_OK {
		err = errors.New(res.Code.String())
	}
	return err
}
