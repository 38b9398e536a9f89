package faults

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// plan is a job as the tests put it. It holds what the checker needs to know
// in a form of its own, so that the checker never asks the library what a
// schedule means.
type plan struct {
	Job string `json:"job"`
	// One of these, or none for a job that is only triggered.
	CronStep int   `json:"cron,omitempty"`  // seconds: every second divisible by it
	Every    int64 `json:"every,omitempty"` // nanoseconds since 1970
	At       int64 `json:"at,omitempty"`

	Jitter     time.Duration   `json:"jitter,omitempty"`
	Overlap    chronos.Overlap `json:"overlap,omitempty"`
	Misfire    chronos.Misfire `json:"misfire,omitempty"`
	CatchUpMax int             `json:"catchup,omitempty"`
	AtMostOnce bool            `json:"once,omitempty"`
	Attempts   int             `json:"attempts,omitempty"`
	Deadline   time.Duration   `json:"deadline,omitempty"`
	Remove     bool            `json:"remove,omitempty"`
	Bulk       int             `json:"bulk,omitempty"` // bytes of description, to make entries large
	Timeout    time.Duration   `json:"timeout,omitempty"`
	Quiet      bool            `json:"quiet,omitempty"` // leaves no trace outside
	Work       work            `json:"work"`
}

// work is what the handler is told to do, by the job's payload.
type work struct {
	Seq  string `json:"seq"`            // the call that put it
	Min  int    `json:"min,omitempty"`  // milliseconds, at least
	Max  int    `json:"ms"`             // milliseconds, at most
	Fail int    `json:"fail,omitempty"` // percent
	Hold bool   `json:"hold,omitempty"` // until the context ends
}

func (p *plan) String() string {
	b, err := json.Marshal(p)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func (p *plan) schedule() chronos.Schedule {
	var s chronos.Schedule
	switch {
	case p.CronStep == 1:
		s = chronos.Cron("* * * * * *")
	case p.CronStep > 0:
		s = chronos.Cron(fmt.Sprintf("*/%d * * * * *", p.CronStep))
	case p.Every > 0:
		s = chronos.Every(time.Duration(p.Every))
	case p.At != 0:
		return chronos.At(time.Unix(0, p.At))
	default:
		return s
	}
	if p.Jitter > 0 {
		s = s.Jitter(p.Jitter)
	}
	return s
}

func (p *plan) payload() []byte {
	b, _ := json.Marshal(p.Work) // cannot fail: strings and numbers
	return b
}

func (p *plan) job() chronos.Job {
	j := chronos.Job{
		ID: p.Job, Schedule: p.schedule(), Handler: "work", Payload: p.payload(),
		Overlap: p.Overlap, Misfire: p.Misfire, CatchUpMax: p.CatchUpMax, StartDeadline: p.Deadline,
		RemoveAfter: p.Remove, Timeout: p.Timeout,
		Retry: chronos.Retry{MaxAttempts: p.Attempts, Initial: 20 * time.Millisecond, Max: 200 * time.Millisecond},
	}
	if p.Quiet {
		j.Handler = "quiet"
	}
	if p.AtMostOnce {
		j.Delivery = chronos.AtMostOnce
	}
	if p.Bulk > 0 {
		j.Labels = map[string]string{}
		for i := range min(p.Bulk/256+1, 32) {
			j.Labels[fmt.Sprintf("bulk-%02d", i)] = fmt.Sprintf("%-256d", i)
		}
	}
	return j
}

// instants lists the due instants in (from, to], by counting.
func (p *plan) instants(from, to int64) []int64 {
	step := p.Every
	if p.CronStep > 0 {
		step = int64(time.Second) // every second is looked at on its own
	}
	if p.At > from && p.At <= to {
		return []int64{p.At}
	}
	if step == 0 {
		return nil
	}
	var out []int64
	for t := from - from%step; t <= to; t += step {
		if t <= from {
			continue
		}
		if p.CronStep > 0 && time.Unix(0, t).UTC().Second()%p.CronStep != 0 {
			continue
		}
		out = append(out, t)
	}
	return out
}

// exclusive tells if two live attempts of the job would be a mistake. Where
// the running one is terminated, its goroutine may go on.
func (p *plan) exclusive() bool {
	return p.Overlap != chronos.OverlapAllowAll && p.Overlap != chronos.OverlapTerminateOther
}
