package faults

import (
	"fmt"
	"slices"
	"time"

	"github.com/chronos-go/chronos"
)

// frozen is what became of the attempts that a node ran when it stood still.
type frozen struct {
	node     string
	held     []*attempt
	canceled int // their contexts had ended when they came back
	refused  int // they succeeded, and the ledger says otherwise
	kept     int // they succeeded, and nobody else had them
	away     time.Duration
	others   time.Duration // until the first start committed by another leader
	quiet    time.Duration // the longest time without any start, until a while after it
	wrong    []string
}

// allFrozen finds every time a node stood still.
func allFrozen(k *checker) (all []*frozen) {
	for i, e := range k.journal {
		if e.Kind != "frozen" {
			continue
		}
		to := slices.IndexFunc(k.journal, func(t event) bool { return t.Kind == "thaw" && t.Node == e.Node && t.pos > i })
		if to >= 0 {
			all = append(all, frozenOf(k, e.Node, i, to))
		}
	}
	return all
}

func frozenOf(k *checker, node string, from, to int) *frozen {
	f := &frozen{node: node, away: time.Duration(k.journal[to].Mono - k.journal[from].Mono)}
	f.hold(k.journal, node, from)
	for _, a := range f.held {
		f.judge(k, a, from, to)
	}
	f.elsewhere(k, node, from, to)
	f.listen(k.journal, from, to)
	return f
}

// hold collects what the node ran when it stood still.
func (f *frozen) hold(journal []event, node string, from int) {
	open := map[string]*attempt{}
	key := func(e event) string { return fmt.Sprint(e.Exec, e.Token) }
	for i := range journal {
		e := journal[i]
		switch {
		case e.Node != node:
		case e.Kind == "start" && i < from:
			open[key(e)] = &attempt{start: e}
		case e.Kind == "end" && i < from:
			delete(open, key(e))
		case e.Kind == "end" && open[key(e)] != nil:
			open[key(e)].end = &journal[i]
		}
	}
	for _, a := range open {
		f.held = append(f.held, a)
	}
}

func (f *frozen) judge(k *checker, a *attempt, from, to int) {
	switch by, _ := ledgerEnd(k.dump.Jobs[a.start.Job], a); {
	case a.end == nil:
		f.wrong = append(f.wrong, fmt.Sprintf("the handler did not come back: %s", a.start))
	case a.end.pos < to:
		f.wrong = append(f.wrong, fmt.Sprintf("ended while its process stood still: %s", a.end))
	case by == chronos.StatusSucceeded && f.taken(k, a):
		f.wrong = append(f.wrong, fmt.Sprintf("succeeded by the ledger, but somebody else had it: %s", a.end))
	case by == chronos.StatusSucceeded:
		f.kept++
	case a.end.Cause != "":
		f.canceled++
	default:
		f.refused++
	}
}

// taken tells if another attempt of the same execution began before this one was
// over.
func (f *frozen) taken(k *checker, a *attempt) bool {
	return slices.ContainsFunc(k.byJob[a.start.Job], func(e event) bool {
		return e.Kind == "start" && e.Exec == a.start.Exec && e.Token > a.start.Token
	})
}

// elsewhere looks at what was started while the node stood still.
func (f *frozen) elsewhere(k *checker, node string, from, to int) {
	created := map[string]int64{}
	for _, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			created[r.ID] = r.Created
		}
	}
	for _, e := range k.journal[from:] {
		switch {
		case e.Kind != "start":
		case e.Node == node && e.pos < to:
			f.wrong = append(f.wrong, fmt.Sprintf("started while its process stood still: %s", e))
		case e.Node != node && f.others == 0 && created[e.Exec] > k.journal[from].T:
			f.others = time.Duration(e.Mono - k.journal[from].Mono)
		}
	}
}

// listen finds how long nothing at all was started.
func (f *frozen) listen(journal []event, from, to int) {
	last := journal[from].Mono
	for _, e := range journal[from:] {
		if e.Kind == "start" {
			f.quiet = max(f.quiet, time.Duration(e.Mono-last))
			last = e.Mono
		}
		if e.Kind == "freeze" || e.Mono > journal[to].Mono+int64(resolveLimit) {
			return
		}
	}
}

func (f *frozen) String() string {
	return fmt.Sprintf("%s frozen for %v with %d attempts: %d canceled, %d refused, %d kept; first start committed elsewhere after %v; no start at all for %v at most",
		f.node, f.away.Round(time.Millisecond), len(f.held), f.canceled, f.refused, f.kept, f.others.Round(time.Millisecond), f.quiet.Round(time.Millisecond))
}
