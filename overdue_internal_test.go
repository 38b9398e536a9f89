package chronos

import (
	"testing"
	"time"

	"github.com/chronos-go/chronos/internal/planner"
	"github.com/chronos-go/chronos/store"
)

// TestOverdueAhead: what has a row of its own, because it was fired ahead of an
// edit, is not counted in the range that a later edit records.
func TestOverdueAhead(t *testing.T) {
	sec := int64(time.Second)
	for _, c := range []struct {
		ahead           planner.Instants
		from, to, count int64
	}{
		{nil, 10, 40, 4},
		{planner.Instants{20 * sec: true}, 10, 40, 3},
		{planner.Instants{10 * sec: true, 15 * sec: true}, 20, 40, 3},
		{planner.Instants{40 * sec: true, 30 * sec: true}, 10, 20, 2},
		{planner.Instants{10 * sec: true, 20 * sec: true, 30 * sec: true, 40 * sec: true}, 0, 0, 0},
	} {
		old := seen{
			rec: &store.Job{Definition: &store.Definition{Schedule: "@every 10s"}}, st: &store.Schedule{NextDue: 10 * sec}, ahead: c.ahead,
		}
		span := new(Scheduler).overdue("job", old, time.Unix(45, 0), store.Reason_REASON_EDIT)
		if span.GetFrom() != c.from*sec || span.GetTo() != c.to*sec || int64(span.GetCount()) != c.count {
			t.Errorf("ahead %v: got %v, want %d from %d to %d", c.ahead, span, c.count, c.from, c.to)
		}
	}
}
