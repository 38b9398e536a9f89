package faults

import (
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// clusterPlans are jobs that are due every second: some of each policy, with
// handlers that are fast, but not so fast that a kill never meets one.
func clusterPlans(n int) []*plan {
	kinds := []plan{
		{Job: "skip", Work: work{Max: 300}},
		{Job: "buffer-one", Overlap: chronos.OverlapBufferOne, Work: work{Max: 400}},
		{Job: "buffer-all", Overlap: chronos.OverlapBufferAll, Misfire: chronos.MisfireAll, Work: work{Max: 200}},
		{Job: "once-skip", AtMostOnce: true, Work: work{Max: 300}},
		{Job: "once-buffer", AtMostOnce: true, Overlap: chronos.OverlapBufferAll, Misfire: chronos.MisfireEarliest, Work: work{Max: 200}},
		{Job: "cancel", Overlap: chronos.OverlapCancelOther, Misfire: chronos.MisfireSkip, Work: work{Max: 500}},
		{Job: "retry", Attempts: 3, Work: work{Max: 50, Fail: 30}},
		{Job: "all", Overlap: chronos.OverlapAllowAll, Work: work{Max: 300}},
		{Job: "once-all", AtMostOnce: true, Overlap: chronos.OverlapAllowAll, Misfire: chronos.MisfireAll, Work: work{Max: 300}},
		{Job: "terminate", Overlap: chronos.OverlapTerminateOther, Work: work{Max: 500}},
	}
	out := make([]*plan, n)
	for i := range out {
		p := kinds[i%len(kinds)]
		p.Job, p.CronStep = fmt.Sprintf("%s/%d", p.Job, i), 1
		out[i] = &p
	}
	return out
}

// heldPlans are jobs of which something is running at any time, and which have
// room to work off what waits for a node that stands still.
func heldPlans(n int) []*plan {
	out := clusterPlans(n)
	for _, p := range out {
		p.Work.Min, p.Work.Max, p.Work.Fail = 300, 600, 0
	}
	return out
}

// pulses are jobs that are due ten times a second and run at once. Their next fire
// is committed when the one before has run, so they tell to a tenth of a second
// when somebody leads.
func pulses(n int) (out []*plan) {
	for i := range n {
		out = append(out, &plan{Job: fmt.Sprintf("pulse/%d", i), Every: int64(100 * time.Millisecond)})
	}
	return out
}
