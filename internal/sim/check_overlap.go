package sim

import (
	"cmp"
	"slices"

	"github.com/chronos-go/chronos"
)

// checkSkips: an instant that was fired while another one of the job was unfinished
// is skipped, if the job says no more. It does not wait, either: by the ledger alone
// two may seem to run one after the other that would not both have run. Only jobs
// that were put once: an edit may have let both in.
func (k *checker) checkSkips(id string, j *jobDump) {
	p := k.planOf(j, 1)
	if len(j.versions) != 1 || p == nil || p.Overlap != "" || p.After > 0 {
		return
	}
	byTarget := map[string][]chronos.Execution{}
	for _, r := range j.rows {
		if r.Origin == chronos.OriginSchedule && r.Ran() && !k.redriven[r.ID] {
			byTarget[r.Target] = append(byTarget[r.Target], r)
		}
	}
	for _, rows := range byTarget {
		slices.SortFunc(rows, func(a, b chronos.Execution) int { return cmp.Compare(nanos(a.CreatedAt), nanos(b.CreatedAt)) })
		for i := 1; i < len(rows); i++ {
			k.log.count("skips checked", 1)
			if before := rows[i-1]; before.CreatedAt.Before(rows[i].CreatedAt) && before.EndedAt.After(rows[i].CreatedAt) {
				k.fault("overlap", id, nanos(rows[i].CreatedAt), "was let in while another one was unfinished: %s, and before %s", row(rows[i]), row(before))
			}
		}
	}
}
