package raftfsm

import (
	"bytes"
	"fmt"

	"github.com/chronos-go/chronos/store"
)

// loadPart takes a part of a backup in. What comes has been settled by whoever
// proposes it: nothing of it is unfinished, and nothing is due in the past.
func (e *entry) loadPart(c *Load) (*Result, error) {
	l := e.f.loading
	if l != nil && bytes.Equal(l.Id, c.Restore) && c.Part < l.Parts && !l.GivenUp {
		return &Result{}, nil
	}
	if res, err := e.refuseLoad(l, c); res != nil || err != nil {
		return res, err
	}
	if l == nil {
		l = &store.Loading{Id: c.Restore, Node: c.Node, Incarnation: c.Incarnation, At: e.now}
	}
	for _, rec := range c.Records {
		if err := e.tx.Load(rec.Key, rec.Payload); err != nil {
			return nil, err
		}
	}
	l.Parts++
	if !c.Last {
		e.f.loading = l
		return &Result{Changed: true}, e.tx.PutLoading(l)
	}
	e.f.loading = nil
	e.applied.Sequence = max(e.applied.Sequence, c.Sequence)
	e.eff.Loaded = true
	return &Result{Changed: true}, e.tx.DeleteLoading()
}

// refuseLoad is why a part is not taken, nil if it is.
func (e *entry) refuseLoad(l *store.Loading, c *Load) (*Result, error) {
	if l == nil && c.Part == 0 {
		blank, err := e.tx.Blank()
		if err != nil || !blank {
			return &Result{Code: Code_CODE_CONFLICT, Text: "there are jobs or a ledger already"}, err
		}
	} else if l == nil || !bytes.Equal(l.Id, c.Restore) || l.GivenUp || l.Parts != c.Part {
		return &Result{Code: Code_CODE_CONFLICT, Text: "this restore was given up, or another one is under way"}, nil
	}
	if !e.lives(c.Node, c.Incarnation) {
		return &Result{Code: Code_CODE_FENCED, Text: "the node's session has ended"}, nil
	}
	return checkRecords(c.Records), nil
}

// checkRecords is why one of the records is not taken, nil if all are.
func checkRecords(records []*Loaded) *Result {
	for _, rec := range records {
		if err := store.CheckLoaded(rec.Key, rec.Payload); err != nil {
			return &Result{Code: Code_CODE_INVALID, Text: err.Error()}
		}
	}
	return nil
}

// unload takes away what a restore that has failed had loaded.
func (e *entry) unload(c *Unload) (*Result, error) {
	l := e.f.loading
	if l == nil || !bytes.Equal(l.Id, c.Restore) {
		return &Result{Code: Code_CODE_STALE}, nil
	}
	n, err := e.tx.Unload(sweepMax)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		e.f.loading = nil
		return &Result{Changed: true}, e.tx.DeleteLoading()
	}
	l.GivenUp = true
	return &Result{Count: uint64(n), Changed: true}, e.tx.PutLoading(l)
}

// whileLoading tells if a command has to wait for the end of a restore, as every one does
// that is about a job.
func (e *entry) whileLoading(c *Command) *Result {
	if e.f.loading == nil {
		return nil
	}
	m := c.ProtoReflect()
	body := m.WhichOneof(commandBody())
	if body == nil || body.Message().Fields().ByName("job") == nil {
		return nil
	}
	return &Result{Code: Code_CODE_CONFLICT, Text: fmt.Sprintf(
		"node %q restores a backup, and jobs wait for that; if it was given up, restart the node or call Restore again", e.f.loading.Node)}
}
