package raftfsm

import (
	"google.golang.org/protobuf/proto"

	"github.com/chronos-go/chronos/store"
)

// answersKept bounds how many commands' answers are remembered. A retry comes
// within the seconds of a leader change; what is in flight then is bounded by
// the proposers' queues, far below this.
const answersKept = 16_384

// answers remembers what recent commands were told, so that a retry of one
// whose fate its caller could not see gets the first answer and is not
// applied twice.
type answers struct {
	byID  map[[16]byte][]byte
	order []answered // oldest first
	count int
}

type answered struct {
	index uint64
	ids   [][16]byte
}

func newAnswers() answers { return answers{byID: map[[16]byte][]byte{}} }

func (a *answers) add(index uint64, rec *store.Answers) {
	e := answered{index: index}
	for _, one := range rec.Answers {
		id := [16]byte(one.Command)
		a.byID[id] = one.Result
		e.ids = append(e.ids, id)
	}
	a.order = append(a.order, e)
	a.count += len(e.ids)
}

// evict forgets the oldest entries beyond the bound and names them.
func (a *answers) evict() []uint64 {
	var gone []uint64
	for a.count > answersKept && len(a.order) > 1 {
		old := a.order[0]
		a.order = a.order[1:]
		for _, id := range old.ids {
			delete(a.byID, id)
		}
		a.count -= len(old.ids)
		gone = append(gone, old.index)
	}
	return gone
}

// answer is the first answer to this command, if it is remembered.
func (e *entry) answer(c *Command) (*Result, error) {
	if len(c.Id) != 16 {
		return nil, nil
	}
	id := [16]byte(c.Id)
	for _, one := range e.answered { // a retry packed into the same entry
		if [16]byte(one.Command) == id {
			return decodeResult(one.Result)
		}
	}
	raw, ok := e.f.answers.byID[id]
	if !ok {
		return nil, nil
	}
	return decodeResult(raw)
}

func decodeResult(raw []byte) (*Result, error) {
	res := &Result{}
	return res, proto.Unmarshal(raw, res)
}

func (e *entry) note(c *Command, res *Result) error {
	if len(c.Id) != 16 {
		return nil
	}
	raw, err := proto.MarshalOptions{Deterministic: true}.Marshal(res)
	if err != nil {
		return err
	}
	e.answered = append(e.answered, &store.Answer{Command: c.Id, Result: raw})
	return nil
}

// remember writes the entry's answers as one record.
func (e *entry) remember() error {
	if len(e.answered) == 0 {
		return nil
	}
	rec := &store.Answers{Answers: e.answered}
	if err := e.tx.PutResults(e.index, rec); err != nil {
		return err
	}
	e.f.answers.add(e.index, rec)
	for _, index := range e.f.answers.evict() {
		if err := e.tx.DeleteResults(index); err != nil {
			return err
		}
	}
	return nil
}
