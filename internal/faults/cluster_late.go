package faults

import (
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// lateStarts is how long after their instants first attempts of scheduled
// executions began. Nothing is demanded of it.
type lateStarts struct {
	all  []time.Duration
	calm []time.Duration // due when no node had died in the last five seconds
}

func startsOf(k *checker) *lateStarts {
	s := &lateStarts{}
	scheduled := map[string]bool{}
	for _, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			scheduled[r.ID] = r.Origin == chronos.OriginSchedule
		}
	}
	killed := int64(0)
	for _, e := range k.journal {
		if e.Kind == "kill" {
			killed = e.T
		}
		if e.Kind != "start" || e.Attempt != 1 || !scheduled[e.Exec] {
			continue
		}
		late := time.Duration(e.T - e.Due)
		s.all = append(s.all, late)
		if e.Due > killed+int64(5*time.Second) {
			s.calm = append(s.calm, late)
		}
	}
	return s
}

func (s *lateStarts) String() string {
	return fmt.Sprintf("lateness of first starts: %s\n… of those due when nobody had died for 5 s: %s", distribution(s.all), distribution(s.calm))
}
