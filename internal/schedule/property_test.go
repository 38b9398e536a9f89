package schedule

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/adhocore/gronx"
)

func mustCompile(t testing.TB, text string) *Schedule {
	t.Helper()
	specs, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Compile(specs...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNextIncreases checks that Next moves forward, is the same when asked from
// anywhere in between, stays within the bounds and ends.
func TestNextIncreases(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	all := zones(t)
	names := sortedKeys(all)
	for range 2000 {
		n := randomNaive(r, r.IntN(2) == 0, r.IntN(2) == 0)
		gap, repeat := policies(r)
		from := time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()
		spec := Spec{Expr: n.text, Zone: names[r.IntN(len(names))], Gap: gap, Repeat: repeat, From: from, Until: from.Add(time.Duration(r.Int64N(1e17)))}
		s, err := Compile(spec)
		if err != nil {
			continue
		}
		for at := (time.Time{}); ; {
			next, ok := s.Next(at)
			if !ok {
				break
			}
			if !next.After(at) || next.Before(spec.From) || next.After(spec.Until) {
				t.Fatalf("%v after %v: got %v", spec, at, next)
			}
			between := next.Add(-time.Duration(1 + r.Int64N(min(int64(next.Sub(at)), 2e14))))
			if again, ok := s.Next(between); !ok || !again.Equal(next) {
				t.Fatalf("%v: got %v from %v, but %v from %v", spec, next, at, again, between)
			}
			if at = next; r.IntN(50) == 0 {
				break
			}
		}
	}
}

// TestAgreesWithGronx compares with gronx's own search where that is right: in
// UTC, without a year field and without * in a list of weekdays, for what it
// reads.
func TestAgreesWithGronx(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for range 3000 {
		n := randomNaive(r, r.IntN(2) == 0, false)
		if n.and || n.beyond() || n.dow.star() && n.dow.text != "*" && n.dow.text != "?" {
			continue
		}
		s, err := Compile(Spec{Expr: n.text})
		if err != nil {
			continue // never due
		}
		at := time.Unix(r.Int64N(4e9), 0).UTC()
		want, err := gronx.NextTickAfter(n.text, at, false)
		if got, ok := s.Next(at); err != nil || !ok || !got.Equal(want) {
			t.Errorf("%q after %v: got %v, gronx says %v, %v", n.text, at, got, want, err)
		}
	}
}

// TestZoneTables checks what the search relies on: periods follow each other,
// and changes of the offset lie two days apart, so that one neighbour is all
// that matters to a civil time.
func TestZoneTables(t *testing.T) {
	for name := range zones(t) {
		zone, err := loadZone(name)
		if err != nil {
			t.Fatal(err)
		}
		last := period{start: -forever, end: 0, offset: periodAt(zone, 0).offset}
		change := int64(-forever)
		for last.end < lastSecond {
			p := periodAt(zone, last.end)
			if p.start > last.end || p.end <= last.end {
				t.Fatalf("%s: period %+v after %+v", name, p, last)
			}
			if p.offset != last.offset {
				if last.end-change < margin {
					t.Fatalf("%s: changes at %d and %d", name, change, last.end)
				}
				change = last.end
			}
			last = p
		}
	}
}

func TestNextDoesNotAllocate(t *testing.T) {
	for _, text := range []string{
		"*/5 * * * *", "CRON_TZ=America/New_York 30 2 * * *", "CRON_TZ=America/New_York 30 1 * * *; repeat=last",
		"CRON_TZ=Australia/Lord_Howe 0 0 29 2 *", "0 0 0 1 1 * 2262", "@every 90s", "@after 5m", "@at 2262-01-01T00:00:00Z",
	} {
		s := mustCompile(t, text)
		at := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
		if n := testing.AllocsPerRun(200, func() {
			next, ok := s.Next(at)
			if ok && !s.Is(KindAt) {
				at = next
			}
		}); n != 0 {
			t.Errorf("%q: %v allocations", text, n)
		}
	}
}

// TestWorkIsBounded counts the steps of the longest searches that are known:
// through centuries of due times that do not exist, or are left out.
func TestWorkIsBounded(t *testing.T) {
	for _, c := range []struct {
		spec  Spec
		limit int64 // steps
	}{
		{Spec{Expr: "0 0 30 2 *", Zone: "America/New_York"}, 10},
		{Spec{Expr: "30 2 8-14 3 SUN", Zone: "America/New_York", AndDays: true, Gap: GapSkip, From: time.Date(2007, 1, 1, 0, 0, 0, 0, time.UTC)}, 4000},
		{Spec{Expr: "0 12 30 12 * 2011", Zone: "Pacific/Apia"}, 10},
		{Spec{Expr: "0 0 31 12 SUN#1", AndDays: true, Zone: "Australia/Lord_Howe"}, 10},
		{Spec{Expr: "* * * * * *", Not: "* * * * * *", Zone: "America/New_York"}, maxSteps},
		{Spec{Expr: "*/2 * * * * *", Not: "*/4 * * * * *+2/4 */2 * * * *+2/4 1/2 * * * *"}, maxSteps},
		{Spec{Expr: "* * * * * *", Except: "MON..SUN"}, 10},
		{Spec{Expr: "0 0 * * MON", Except: "MON"}, maxSteps},
		{Spec{Expr: "0 0 * * SAT", Roll: RollNearest, Except: "FRI"}, maxSteps},
		{Spec{Kind: KindEvery, Period: time.Millisecond, Except: "MON..SUN", Zone: "America/New_York"}, 10},
		{Spec{Kind: KindEvery, Period: 24 * time.Hour, Except: "01-01..12-31", Zone: "Australia/Lord_Howe"}, 10},
		{Spec{Kind: KindEvery, Period: 7 * 24 * time.Hour, Except: "THU"}, maxSteps},
	} {
		compiler := Compiler{meter: meter{new(int64)}}
		// A schedule that is refused has been searched twice, to say why.
		if _, err := compiler.Compile(c.spec); err == nil || *compiler.meter.count > 2*c.limit {
			t.Errorf("%v took %d steps, more than twice %d: %v", c.spec, *compiler.meter.count, c.limit, err)
		}
		t.Logf("%7d steps: %v", *compiler.meter.count, c.spec)
	}
}

func TestNextIsSafeForConcurrentUse(t *testing.T) {
	s := mustCompile(t, "CRON_TZ=Europe/Berlin 30 2 * * *; jitter=1m")
	at := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
	want, _ := s.Next(at)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 100 {
				if got, _ := s.Next(at); got != want || s.Offset("a", got, time.Time{}) >= time.Minute {
					t.Errorf("got %v, want %v", got, want)
				}
			}
		})
	}
	wg.Wait()
}
