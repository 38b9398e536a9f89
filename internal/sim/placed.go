package sim

import (
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// placedPlans draws the jobs that ask for nodes, and those that share places. They
// are put once, like the fixed ones. What shares places must not ask for more than
// there are in the long run.
func (w *world) placedPlans() (out []*plan) {
	r, u := random(w.seed, "placed"), w.pro.Unit
	every := func(name string, from, to int, p plan) {
		p.Job, p.When, p.Initial = "fixed/"+name, []when{{Every: u * time.Duration(from+r.IntN(to-from+1))}}, between(r, u/10, u)
		out = append(out, &p)
	}
	work := func(most time.Duration) work { return work{Max: between(r, most/4, most), Out: r.IntN(100)} }

	every("gpu", 1, 3, plan{Needs: []string{"gpu"}, Overlap: chronos.OverlapAllowAll, Work: work(2 * u)})
	every("both", 2, 4, plan{Needs: demands, Attempts: 3, Work: failing(work(u))})
	every("sticky", 1, 3, plan{Needs: []string{"ssd"}, Sticky: true, Work: work(2 * u)})

	every("each0", 1, 2, plan{EveryNode: true, Work: work(u)})
	every("each1", 2, 4, plan{EveryNode: true, Needs: []string{"gpu"}, Overlap: chronos.OverlapBufferAll, BufferMax: 3, Work: work(5 * u)})
	overlap := []chronos.Overlap{chronos.OverlapCancelOther, chronos.OverlapTerminateOther, chronos.OverlapAllowAll, chronos.OverlapBufferOne}[r.IntN(4)]
	every("each2", 2, 4, plan{EveryNode: true, Overlap: overlap, Delivery: chronos.AtMostOnce, Deadline: 4 * u, Work: work(4 * u)})

	for places := 1; places <= 3; places++ {
		for i := range 3 {
			overlap := []chronos.Overlap{"", chronos.OverlapBufferOne, chronos.OverlapCancelOther}[r.IntN(3)]
			p := plan{Key: fmt.Sprintf("key%d", places), Places: places, Overlap: overlap, Work: work(2 * u), Priority: r.IntN(3)}
			if i == 1 {
				p.Attempts, p.Work = 3, failing(p.Work)
			}
			if i == 2 {
				p.Overlap, p.Deadline = chronos.OverlapAllowAll, 6*u
			}
			if r.IntN(3) == 0 {
				p.Delivery = chronos.AtMostOnce
			}
			every(fmt.Sprintf("key%d.%d", places, i), 1, 3, p)
		}
	}
	return out
}

func failing(w work) work {
	w.Fail, w.Later, w.Panic = 40, 5, 3
	return w
}

// place gives a plan that is edited all the time demands and places of its own.
func (c *caller) place(p *plan) {
	if c.r.IntN(4) == 0 {
		p.Needs = []string{demands[c.r.IntN(len(demands))]}
	}
	if c.r.IntN(4) == 0 {
		p.Key, p.Places = p.Job, 1+c.r.IntN(2)
	}
	switch c.r.IntN(6) {
	case 0:
		p.Sticky = true
	case 1:
		p.EveryNode = true
	}
}
