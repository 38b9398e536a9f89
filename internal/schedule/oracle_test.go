package schedule

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"
)

var (
	oracleSize = flag.Int("oracle", 0, "expressions per transition of every zone (0: two at a sample of the transitions)")
	oracleSeed = flag.Uint64("seed", 1, "of the expressions")
)

// random draws the expressions of one oracle test.
func random(t *testing.T, test uint64) *rand.Rand {
	if *oracleSize > 0 {
		t.Logf("-oracle %d -seed %d", *oracleSize, *oracleSeed)
	}
	return rand.New(rand.NewPCG(*oracleSeed, test))
}

// zones returns the IANA zones, those that are links to others left out.
func zones(t testing.TB) map[string][]int64 {
	t.Helper()
	names, err := os.ReadFile("testdata/zones.txt")
	if err != nil {
		t.Fatal(err)
	}
	seen, all := map[string]bool{}, map[string][]int64{}
	for _, name := range strings.Fields(string(names)) {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Logf("not on this machine: %v", err)
			continue
		}
		list := transitions(zone)
		print := fmt.Sprint(list, offset(zone, 0), offset(zone, 4e9))
		if !seen[print] {
			seen[print] = true
			all[name] = list
		}
	}
	return all
}

func offset(zone *time.Location, t int64) int64 {
	_, o := time.Unix(t, 0).In(zone).Zone()
	return int64(o)
}

// transitions finds the changes of offset from 1970 to 2045 by sampling and
// bisection, without ZoneBounds.
func transitions(zone *time.Location) (list []int64) {
	const step = 4 * 86400
	for t := int64(step); t < 75*365*86400; t += step {
		lo, hi := t-step, t
		if offset(zone, lo) == offset(zone, hi) {
			continue
		}
		for hi-lo > 1 {
			if mid := (lo + hi) / 2; offset(zone, mid) == offset(zone, lo) {
				lo = mid
			} else {
				hi = mid
			}
		}
		list = append(list, hi)
	}
	return list
}

// moment is one tick of a window: an instant and its wall clock.
type moment struct {
	at   int64
	wall civil
}

// window lists every step-th second from center-6h to center+6h.
func window(zone *time.Location, center, step int64) []moment {
	from := center - 6*3600
	list := make([]moment, 0, 12*3600/step+1)
	for t := from; t <= center+6*3600; t += step {
		o := offset(zone, t)
		list = append(list, moment{t, time.Unix(t+o, 0).UTC()})
	}
	return list
}

// expect lists the due instants of the window by brute force.
func (n naive) expect(list []moment, step int64, gap Gap, repeat Repeat) (due []int64) {
	repeat = n.effective(repeat)
	first, last := map[int64]int64{}, map[int64]int64{}
	for _, m := range list {
		if _, ok := first[m.wall.Unix()]; !ok {
			first[m.wall.Unix()] = m.at
		}
		last[m.wall.Unix()] = m.at
	}
	for i, m := range list {
		wall := m.wall.Unix()
		ok := n.match(m.wall)
		if pass := first[wall]; repeat == RepeatFirst && pass < m.at && m.at-pass <= 3*3600 {
			ok = false
		}
		if pass := last[wall]; repeat == RepeatLast && pass > m.at && pass-m.at <= 3*3600 {
			ok = false
		}
		if i > 0 && gap == GapShift && n.fixed() {
			before := list[i-1].wall.Unix() + step
			for c := before; c < wall && wall-before <= 3*3600; c += step {
				ok = ok || n.match(time.Unix(c, 0).UTC())
			}
		}
		if ok {
			due = append(due, m.at)
		}
	}
	return due
}

// checkWindow compares Next with the oracle in the middle of a window, where
// three hours on each side are known.
func checkWindow(t *testing.T, zone string, list []moment, step int64, n naive, gap Gap, repeat Repeat) int {
	t.Helper()
	spec := n.spec()
	spec.Zone, spec.Gap, spec.Repeat = zone, gap, repeat
	s, err := Compile(spec)
	if err != nil {
		if !neverDue(err) {
			t.Fatalf("%v: %v", spec, err)
		}
		return 0
	}
	got, want := compareWindow(s, list, step, n, gap, repeat)
	if !slices.Equal(got, want) {
		t.Errorf("%v around %v:\n got %v\nwant %v", spec, time.Unix(list[len(list)/2].at, 0).UTC(), clock(got, zone), clock(want, zone))
	}
	return 1 + len(got)
}

func compareWindow(s *Schedule, list []moment, step int64, n naive, gap Gap, repeat Repeat) (got, want []int64) {
	lo, hi := list[0].at+3*3600, list[len(list)-1].at-3*3600
	if lo < 0 {
		return nil, nil
	}
	for at := time.Unix(lo-1, 0); ; {
		next, ok := s.Next(at)
		if !ok || next.Unix() > hi {
			break
		}
		got, at = append(got, next.Unix()), next
	}
	for _, at := range n.expect(list, step, gap, repeat) {
		if lo <= at && at <= hi {
			want = append(want, at)
		}
	}
	return got, want
}

// TestOracleCatches is the control: a schedule with a mistake in it does not
// pass the oracle.
func TestOracleCatches(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and of one goroutine")
	}
	all := zones(t)
	names := slices.DeleteFunc(sortedKeys(all), func(name string) bool { return len(all[name]) == 0 })
	for mistake, make := range map[string]func(r *rule){
		"a gap is skipped":            func(r *rule) { r.cron.fill = false },
		"a gap is always made up":     func(r *rule) { r.cron.fill = true },
		"both passes":                 func(r *rule) { r.cron.repeat = RepeatBoth },
		"the first pass":              func(r *rule) { r.cron.repeat = RepeatFirst },
		"the last pass":               func(r *rule) { r.cron.repeat = RepeatLast },
		"UTC":                         func(r *rule) { r.cron.zone = time.UTC },
		"no day is left out":          func(r *rule) { r.cron.wall.except = nil },
		"no expression is left out":   func(r *rule) { r.cron.wall.not = nil },
		"no day moves":                func(r *rule) { r.cron.wall.roll = nil },
		"a value of the hours is off": func(r *rule) { r.cron.wall.plan.hours ^= 1 << 2 },
	} {
		r, caught := rand.New(rand.NewPCG(1, 1)), 0
		for range 4000 {
			zone := names[r.IntN(len(names))]
			loc, _ := time.LoadLocation(zone)
			at := all[zone][r.IntN(len(all[zone]))]
			n := randomNaive(r, false, false).modified(r)
			gap, repeat := policies(r)
			spec := n.spec()
			spec.Zone, spec.Gap, spec.Repeat = zone, gap, repeat
			s, err := Compile(spec)
			if err != nil || at%60 != 0 || offset(loc, at-1)%60 != 0 || offset(loc, at)%60 != 0 {
				continue
			}
			make(&s.rules[0])
			if got, want := compareWindow(s, window(loc, at, 60), 60, n, gap, repeat); !slices.Equal(got, want) {
				if caught++; caught == 3 {
					break
				}
			}
		}
		if caught < 3 {
			t.Errorf("%s: caught %d times", mistake, caught)
		}
	}
}

// neverDue tells if a schedule was refused for what the oracle cannot rule out.
func neverDue(err error) bool {
	return strings.Contains(err.Error(), "never due") || strings.Contains(err.Error(), "leave no")
}

func clock(list []int64, zone string) (texts []string) {
	loc, _ := time.LoadLocation(zone)
	for _, at := range list[:min(len(list), 40)] {
		texts = append(texts, time.Unix(at, 0).In(loc).Format("02T15:04:05-07:00"))
	}
	return texts
}

// TestOracleTransitions walks every transition of every zone, three hours to
// each side, minute by minute.
func TestOracleTransitions(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and of one goroutine")
	}
	r := random(t, 2)
	windows, checks, perWindow := 0, 0, 2
	if *oracleSize > 0 {
		perWindow = *oracleSize
	}
	all := zones(t)
	for _, zone := range sortedKeys(all) {
		loc, _ := time.LoadLocation(zone)
		for _, at := range all[zone] {
			if *oracleSize == 0 && r.IntN(3) > 0 {
				continue
			}
			step := int64(60)
			if at%60 != 0 || offset(loc, at-1)%60 != 0 || offset(loc, at)%60 != 0 {
				step = 1
			}
			list := window(loc, at, step)
			windows++
			for range perWindow {
				gap, repeat := policies(r)
				checks += checkWindow(t, zone, list, step, randomNaive(r, false, false).modified(r), gap, repeat)
			}
			if t.Failed() {
				t.FailNow()
			}
		}
	}
	t.Logf("%d zones, %d transitions, %d expressions, %d checks", len(all), windows, windows*perWindow, checks)
}

// TestOracleSeconds does the same second by second, with a seconds field.
func TestOracleSeconds(t *testing.T) {
	r := random(t, 4)
	all := zones(t)
	names, checks := sortedKeys(all), 0
	names = slices.DeleteFunc(names, func(name string) bool { return len(all[name]) == 0 })
	for range 30 + 40**oracleSize {
		zone := names[r.IntN(len(names))]
		loc, _ := time.LoadLocation(zone)
		list := window(loc, all[zone][r.IntN(len(all[zone]))], 1)
		for range 2 {
			gap, repeat := policies(r)
			checks += checkWindow(t, zone, list, 1, randomNaive(r, true, false).modified(r), gap, repeat)
		}
	}
	t.Logf("%d checks", checks)
}

// TestOracleCalendar compares years of sparse schedules, in UTC and in zones,
// with a walk over all days that maps each civil match to instants by search.
func TestOracleCalendar(t *testing.T) {
	r := random(t, 6)
	all := zones(t)
	names, checks := sortedKeys(all), 0
	for range 1000 + 1000**oracleSize {
		n := randomNaive(r, false, true).modified(r)
		gap, repeat := policies(r)
		spec := n.spec()
		spec.Gap, spec.Repeat = gap, repeat
		if r.IntN(3) > 0 {
			spec.Zone = names[r.IntN(len(names))]
		}
		s, err := Compile(spec)
		from := time.Date(1971+r.IntN(80), time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), 0, 0, time.UTC)
		if err != nil && strings.Contains(err.Error(), "no business day") {
			continue // the walk would have no end
		}
		want := n.walk(spec, from, from.AddDate(8, 0, 0), 40)
		if err != nil {
			if len(want) > 0 || !neverDue(err) {
				t.Fatalf("%v: %v, but due at %v", spec, err, want[0])
			}
			continue
		}
		var got []int64
		for at := from; len(got) < len(want); {
			next, ok := s.Next(at)
			if !ok {
				break
			}
			got, at = append(got, next.Unix()), next
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v from %v:\n got %v\nwant %v", spec, from, clock(got, spec.Zone), clock(want, spec.Zone))
		}
		if next, ok := s.Next(from); len(want) == 0 && ok && next.Before(from.AddDate(8, 0, 0)) {
			t.Fatalf("%v from %v: got %v, want nothing for 8 years", spec, from, next)
		}
		checks += 1 + len(got)
	}
	t.Logf("%d checks", checks)
}

// walk lists up to limit due instants after from and before to.
func (n naive) walk(spec Spec, from, to time.Time, limit int) []int64 {
	zone, _ := time.LoadLocation(spec.Zone)
	times := n.timesOfDay()
	seen, due := map[int64]bool{}, []int64{}
	for day := from.AddDate(0, 0, -2).Truncate(24 * time.Hour); day.Before(to); day = day.AddDate(0, 0, 1) {
		if !n.matchMoved(day) || n.except.has(day) {
			continue
		}
		for _, s := range times {
			if n.leftOut(day.Add(time.Duration(s) * time.Second)) {
				continue
			}
			for _, at := range n.instants(zone, day.Unix()+s, spec.Gap, spec.Repeat) {
				if at > from.Unix() && at < to.Unix() && !seen[at] {
					seen[at] = true
					due = append(due, at)
				}
			}
			if len(due) > 4*limit && s > times[0]+4*3600 {
				break // later ones of this day cannot be among the first limit
			}
		}
		if len(due) > 4*limit {
			break
		}
	}
	slices.Sort(due)
	return due[:min(len(due), limit)]
}

// timesOfDay lists the seconds of the day that match.
func (n naive) timesOfDay() (times []int64) {
	day := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	for m := range 24 * 60 {
		at := day.Add(time.Duration(m) * time.Minute)
		for s := range 60 {
			if n.hour.match(at) && n.min.match(at) && n.sec.match(at.Add(time.Duration(s)*time.Second)) {
				times = append(times, int64(m*60+s))
			}
		}
	}
	return times
}

// instants maps a civil second to the instants at which it is due.
func (n naive) instants(zone *time.Location, c int64, gap Gap, repeat Repeat) []int64 {
	const span = 30 * 3600
	offsets := map[int64]bool{}
	for t := c - span; t <= c+span; t += 6 * 3600 {
		offsets[offset(zone, t)] = true
	}
	var list []int64
	for o := range offsets {
		if offset(zone, c-o) == o {
			list = append(list, c-o)
		}
	}
	slices.Sort(list)
	if len(list) == 2 && list[1]-list[0] <= 3*3600 {
		switch n.effective(repeat) {
		case RepeatFirst:
			list = list[:1]
		case RepeatLast:
			list = list[1:]
		}
	}
	if len(list) > 0 || !n.fixed() || gap == GapSkip {
		return list
	}
	lo, hi := c-span, c+span // the clock shows less than c at lo, more at hi
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; mid+offset(zone, mid) > c {
			hi = mid
		} else {
			lo = mid
		}
	}
	if offset(zone, hi)-offset(zone, lo) <= 3*3600 {
		return []int64{hi}
	}
	return nil
}

func sortedKeys(m map[string][]int64) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
