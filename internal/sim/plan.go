package sim

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/chronos-go/chronos"
)

// plan is a job as the simulation puts it. It holds what the checker needs to
// know in a form of its own.
type plan struct {
	Job   string
	When  []when        `json:",omitempty"` // none, After and At 0: only triggered
	After time.Duration `json:",omitempty"`
	At    int64         `json:",omitempty"`

	Handler    string           `json:",omitempty"`
	Jitter     time.Duration    `json:",omitempty"`
	Overlap    chronos.Overlap  `json:",omitempty"`
	Misfire    chronos.Misfire  `json:",omitempty"`
	CatchUpMax int              `json:",omitempty"`
	Window     time.Duration    `json:",omitempty"`
	Delivery   chronos.Delivery `json:",omitempty"`
	Attempts   int              `json:",omitempty"`
	Initial    time.Duration    `json:",omitempty"`
	NoJitter   bool             `json:",omitempty"`
	Timeout    time.Duration    `json:",omitempty"`
	Deadline   time.Duration    `json:",omitempty"`
	Priority   int              `json:",omitempty"`
	MaxRuns    int              `json:",omitempty"`
	Remove     bool             `json:",omitempty"`
	PauseFail  bool             `json:",omitempty"`
	BufferMax  int              `json:",omitempty"`
	Needs      []string         `json:",omitempty"` // labels of a node
	EveryNode  bool             `json:",omitempty"`
	Sticky     bool             `json:",omitempty"`
	Key        string           `json:",omitempty"` // shared with others, that have as many
	Places     int              `json:",omitempty"`
	Within     time.Duration    `json:",omitempty"` // it has to succeed in this time
	Work       work
}

// work is what the handler is told to do, by the job's payload.
type work struct {
	Seq   string        // the call that put it
	Min   time.Duration `json:",omitempty"`
	Max   time.Duration `json:",omitempty"`
	Fail  int           `json:",omitempty"` // percent of attempts
	Panic int           `json:",omitempty"`
	Perm  int           `json:",omitempty"`
	Later int           `json:",omitempty"` // asks for RetryAfter
	Hold  bool          `json:",omitempty"` // until the context ends
	Deaf  bool          `json:",omitempty"` // does not look at its context
	Out   int           `json:",omitempty"` // bytes of output
}

func (p *plan) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *plan) payload() []byte {
	b, _ := json.Marshal(p.Work) // cannot fail: strings and numbers
	return b
}

func (p *plan) schedule() chronos.Schedule {
	switch {
	case p.At != 0:
		return chronos.At(time.Unix(0, p.At))
	case p.After > 0:
		return chronos.After(p.After)
	case len(p.When) == 0:
		return chronos.Schedule{}
	}
	var all []chronos.Schedule
	for i := range p.When {
		all = append(all, p.When[i].schedule())
	}
	s := all[0]
	if len(all) > 1 {
		s = chronos.Union(all...)
	}
	if p.Jitter > 0 {
		s = s.Jitter(p.Jitter)
	}
	return s
}

func (p *plan) job() chronos.Job {
	handler := p.Handler
	if handler == "" {
		handler = "work"
	}
	return chronos.Job{
		ID: p.Job, Schedule: p.schedule(), Handler: handler, Payload: p.payload(), Labels: map[string]string{"sim": "yes"},
		Overlap: p.Overlap, BufferMax: p.BufferMax, Misfire: p.Misfire, CatchUpMax: p.CatchUpMax, CatchUpWindow: p.Window,
		Delivery: p.Delivery, Retry: chronos.Retry{MaxAttempts: p.Attempts, Initial: p.Initial, NoJitter: p.NoJitter},
		Timeout: p.Timeout, StartDeadline: p.Deadline, Priority: p.Priority, MaxRuns: p.MaxRuns,
		RemoveAfter: p.Remove, PauseOnFailure: p.PauseFail, Placement: p.placement(),
		Concurrency: chronos.Concurrency{Key: p.Key, Limit: p.Places}, SucceedWithin: p.Within,
	}
}

func (p *plan) placement() chronos.Placement {
	at := chronos.Placement{EveryNode: p.EveryNode, Sticky: p.Sticky}
	for _, d := range p.Needs {
		if at.Labels == nil {
			at.Labels = map[string]string{}
		}
		at.Labels[d] = "yes"
	}
	return at
}

// instants lists the due instants in (from, to], by counting.
func (p *plan) instants(from, to int64) []int64 {
	if p.At > from && p.At <= to {
		return []int64{p.At}
	}
	var out []int64
	for i := range p.When {
		out = append(out, p.When[i].instants(from, to)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// exclusive tells if two live attempts of the job would be a mistake. Where
// the running one is terminated, its goroutine may go on.
func (p *plan) exclusive() bool {
	return p.Overlap != chronos.OverlapAllowAll && p.Overlap != chronos.OverlapTerminateOther
}

func clock(ns int64) string {
	if ns == 0 {
		return "-"
	}
	return time.Unix(0, ns).UTC().Format("02 15:04:05.000")
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}
