package sim

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/chronos-go/chronos"
)

// register is a job without a schedule, as its callers know it.
type register struct {
	version uint64
	exists  bool
	paused  bool
	seq     string
}

// checkLinear: the calls on each register are as if they had happened at one
// place, each at one moment between its begin and its end. What is uncertain may
// have happened, then or later, or not at all.
func (k *checker) checkLinear() {
	for id, calls := range k.byJob {
		if !strings.HasPrefix(id, "register/") {
			continue
		}
		var ops []porcupine.Operation
		for i, c := range calls {
			if op, ok := operation(c); ok {
				op.ClientId = i
				ops = append(ops, op)
			}
		}
		k.log.count("calls checked for linearizability", len(ops))
		switch porcupine.CheckOperationsTimeout(model(), ops, 20*time.Second) {
		case porcupine.Illegal:
			k.fault("linear", id, calls[len(calls)/2].begin, "its calls cannot have happened in any order")
		case porcupine.Unknown:
			k.log.count("registers too complex to check", 1)
		}
	}
}

func operation(c *call) (porcupine.Operation, bool) {
	op := porcupine.Operation{Input: c, Output: c, Call: int64(c.beginPos), Return: int64(c.endPos)}
	if c.endPos == 0 || c.unsure {
		op.Return = math.MaxInt64
	}
	switch {
	case c.unsure && c.op == "get":
		return op, false
	case c.err != nil && !c.unsure && !errors.Is(c.err, chronos.ErrNotFound) && !errors.Is(c.err, chronos.ErrConflict):
		return op, false // it says that it did nothing
	}
	return op, true
}

func model() porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{register{}} },
		Step: func(state, input, _ any) (out []any) {
			for _, r := range step(state.(register), input.(*call)) {
				out = append(out, r)
			}
			return out
		},
		Hash: func(state any) uint64 { return state.(register).version },
	}
	return m.ToModel()
}

// step gives the states in which a register may be after a call.
func step(r register, c *call) []register {
	next, answer := apply(r, c)
	switch {
	case c.unsure && answer == nil:
		return []register{r, next}
	case c.unsure:
		return []register{r}
	case !errors.Is(c.err, answer):
		return nil
	case c.err == nil && c.op == "put" && c.version != next.version:
		return nil
	case c.op == "get" && *c.read != reading{exists: r.exists, version: visible(r), seq: r.seq, paused: r.paused}:
		return nil
	}
	return []register{next}
}

// visible is the version that a read shows.
func visible(r register) uint64 {
	if r.exists {
		return r.version
	}
	return 0
}

// apply is what a call does, and how it is answered.
func apply(r register, c *call) (register, error) {
	switch c.op {
	case "put":
		switch {
		case c.expect == chronos.MustNotExist && r.exists, c.expect != 0 && c.expect != chronos.MustNotExist && c.expect != visible(r):
			return r, chronos.ErrConflict
		}
		return register{version: r.version + 1, exists: true, paused: r.paused && r.exists, seq: c.seq}, nil
	case "get":
		return r, nil
	}
	if !r.exists {
		return r, chronos.ErrNotFound
	}
	switch c.op {
	case "delete":
		return register{version: r.version + 1}, nil
	case "pause":
		r.paused = true
	case "resume":
		r.paused = false
	default:
		panic(fmt.Sprintf("no such call: %s", c.op))
	}
	return r, nil
}
