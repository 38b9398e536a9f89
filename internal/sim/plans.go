package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/chronos-go/chronos"
)

// fixedPlans draws the jobs that are put once: each policy is in some of them.
func (w *world) fixedPlans() (out []*plan) {
	r := random(w.seed, "plans")
	overlaps := []chronos.Overlap{
		"", chronos.OverlapBufferOne, chronos.OverlapBufferAll, chronos.OverlapCancelOther, chronos.OverlapTerminateOther, chronos.OverlapAllowAll, "",
	}
	for i := range w.pro.Jobs {
		p := &plan{Job: fmt.Sprintf("fixed/%02d", i), Overlap: overlaps[i%len(overlaps)]}
		w.draw(r, p)
		if i%7 == 6 { // one that only few nodes can run
			p.Handler = "rare"
		}
		if i == 1 {
			p.When, p.After, p.Jitter = nil, w.pro.Unit*3, 0
		}
		if i == 2 {
			p.When, p.Jitter = nil, 0
		}
		if i%2 == 1 && (len(p.When) > 0 || p.After > 0) { // for some of them too short
			p.Within = between(random(w.seed, "within", p.Job), 2*w.pro.Unit, 25*w.pro.Unit)
		}
		if i == 8 {
			p.PauseFail, p.Work.Fail = true, 30
		}
		if i == 7 || i == 12 { // long enough to be given up and started elsewhere while it still runs
			p.Delivery, p.Timeout, p.Work = chronos.AtLeastOnce, 0, work{Min: w.pro.Lease / 4, Max: 2 * w.pro.Lease}
		}
		out = append(out, p)
	}
	return out
}

// draw fills in schedule, policies and work.
func (w *world) draw(r *rand.Rand, p *plan) {
	u := w.pro.Unit
	p.When = []when{w.when(r)}
	if r.IntN(6) == 0 {
		p.When = append(p.When, w.when(r))
	}
	p.Work = work{Max: between(r, 0, 2*u), Out: r.IntN(200)}
	switch r.IntN(8) {
	case 0:
		p.Work.Fail, p.Work.Panic, p.Attempts = 50, 10, 1+r.IntN(4)
	case 1:
		p.Work.Fail, p.Work.Perm, p.Work.Later, p.Attempts, p.NoJitter = 40, 10, 10, 3, true
	case 2:
		p.Work.Hold, p.Timeout = true, between(r, u/4, 2*u)
	case 3:
		p.Work.Deaf, p.Timeout, p.Work.Max = true, between(r, u/4, u), 2*u
	case 4:
		p.Work.Deaf, p.Timeout, p.Work.Min, p.Work.Max = true, u, 0, w.pro.Stuck*3
	}
	p.Initial = between(r, u/10, u)
	p.Misfire = []chronos.Misfire{"", chronos.MisfireAll, chronos.MisfireEarliest, chronos.MisfireSkip}[r.IntN(4)]
	if p.Misfire == chronos.MisfireAll {
		p.CatchUpMax = 1 + r.IntN(5)
	}
	if r.IntN(3) == 0 {
		p.Delivery = chronos.AtMostOnce
	}
	if r.IntN(5) == 0 {
		p.Deadline = between(r, u, 4*u)
	}
	if r.IntN(6) == 0 {
		p.Window = between(r, 2*u, 20*u)
	}
	if p.Overlap == chronos.OverlapBufferAll && r.IntN(2) == 0 {
		p.BufferMax = 1 + r.IntN(4)
	}
	if r.IntN(4) == 0 {
		p.Jitter = between(r, u/10, u)
	}
	p.Priority = r.IntN(5) - 2
}

// when draws a schedule that comes due every few units.
func (w *world) when(r *rand.Rand) when {
	u := w.pro.Unit
	n := r.IntN(8)
	switch {
	case n < 3:
		return when{Every: u * time.Duration(1+r.IntN(5))}
	case n < 4:
		return when{Every: u*time.Duration(1+r.IntN(3)) + u/3, Anchor: time.Now().Add(-between(r, 0, 100*u)).Truncate(time.Millisecond).UnixNano()}
	case u < 10*time.Second:
		return when{SecondStep: []int{2, 3, 5, 7, 10}[r.IntN(5)]}
	case u > 30*time.Minute: // a long simulation
		return when{Minutes: []int{r.IntN(60)}, Hours: []int{1, 2, 3, r.IntN(24), r.IntN(24)}, Zone: zones[r.IntN(len(zones))]}
	case n < 5:
		return when{MinuteStep: 1 + r.IntN(10), Zone: zones[r.IntN(len(zones))]}
	case n < 6:
		return when{Minutes: []int{r.IntN(30), 30 + r.IntN(30)}, Zone: zones[r.IntN(len(zones))]}
	case n < 7:
		return when{MinuteStep: 1 + r.IntN(10), NotHours: []int{2, 3}, NotDays: []int{int(time.Now().Weekday()+1) % 7}, Zone: zones[r.IntN(len(zones))]}
	}
	return when{Minutes: []int{0, 15, 30, 45}, Hours: []int{0, 1, 2, 3, 4, 8, 12, 16, 20, 23}, Zone: zones[r.IntN(len(zones))]}
}

var zones = []string{"", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"}

// randomPlan is one for a job that is edited all the time.
func (c *caller) randomPlan(job string) *plan {
	u := c.w.pro.Unit
	p := &plan{Job: job, Work: work{Max: between(c.r, 0, u)}}
	p.When = []when{c.w.when(c.r)}
	if c.r.IntN(2) == 0 {
		p.Overlap = []chronos.Overlap{chronos.OverlapBufferOne, chronos.OverlapBufferAll, chronos.OverlapAllowAll}[c.r.IntN(3)]
	}
	if c.r.IntN(3) == 0 {
		p.Misfire = chronos.MisfireAll
	}
	if r := random(c.w.seed, "within", job); r.IntN(3) == 0 {
		p.Within = between(r, u, 10*u)
	}
	c.place(p)
	return p
}
