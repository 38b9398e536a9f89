package schedule

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestUnion compares a union with its members, merged.
func TestUnion(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	names := sortedKeys(zones(t))
	for range 300 {
		var specs []Spec
		var want []time.Time
		from := time.Unix(r.Int64N(4e9), 0).UTC()
		to := from.Add(time.Duration(1+r.IntN(5000)) * time.Minute)
		for range 1 + r.IntN(5) {
			spec := randomNaive(r, r.IntN(8) == 0, false).modified(r).spec()
			if spec.Zone = names[r.IntN(len(names))]; r.IntN(4) == 0 {
				spec = Spec{Kind: KindEvery, Period: time.Duration(1+r.IntN(300)) * time.Minute}
			}
			one, err := Compile(spec)
			if err != nil {
				continue
			}
			specs, want = append(specs, spec), append(want, between(one, from, to)...)
		}
		if len(specs) == 0 {
			continue
		}
		s, err := Compile(specs...)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(want, time.Time.Compare)
		if got, want := between(s, from, to), slices.Compact(want); !slices.Equal(got, want) {
			t.Fatalf("%s from %v: %d instants, want %d", Format(specs), from, len(got), len(want))
		}
	}
}

// between lists the due instants after from and up to to.
func between(s *Schedule, from, to time.Time) (list []time.Time) {
	for at, ok := s.Next(from); ok && !at.After(to); at, ok = s.Next(at) {
		list = append(list, at)
	}
	return list
}

// TestUnionJitter: an instant has the jitter of the first rule that is due then
// and has some.
func TestUnionJitter(t *testing.T) {
	s := mustCompile(t, "0 * * * * | 0 6 * * *; jitter=1m | 0 6,7 * * *; jitter=1h")
	most := func(hour int) (longest time.Duration) {
		due := time.Date(2026, 11, 25, hour, 0, 0, 0, time.UTC)
		for i := range 500 {
			longest = max(longest, s.Offset(string(rune('a'+i)), due, due.Add(2*time.Hour)))
		}
		return longest
	}
	for hour, want := range map[int]time.Duration{5: 0, 6: time.Minute, 7: time.Hour} {
		if got := most(hour); got > want || got < want*9/10 {
			t.Errorf("at %d: up to %v, want %v", hour, got, want)
		}
	}
}

// TestOracleEvery compares Every with days left out, instant by instant.
func TestOracleEvery(t *testing.T) {
	r := random(t, 14)
	all := zones(t)
	names := slices.DeleteFunc(sortedKeys(all), func(name string) bool { return len(all[name]) == 0 })
	checks := 0
	for range 2000 * max(1, *oracleSize) {
		name := names[r.IntN(len(names))]
		zone, _ := time.LoadLocation(name)
		list := randomDays(r)
		spec := Spec{Kind: KindEvery, Period: time.Duration(1+r.IntN(100)) * 13 * time.Minute, Except: list.text, Zone: name, Anchor: time.Unix(r.Int64N(4e9), 5)}
		s, err := Compile(spec)
		if err != nil {
			if !neverDue(err) {
				t.Fatal(err)
			}
			continue
		}
		center := time.Unix(all[name][r.IntN(len(all[name]))], 0)
		from, to := center.AddDate(0, 0, -10), center.AddDate(0, 0, 10)
		got := between(s, from, to)
		spec.Except = ""
		free, err := Compile(spec)
		if err != nil {
			t.Fatal(err)
		}
		want := slices.DeleteFunc(between(free, from, to), func(at time.Time) bool {
			y, m, d := at.In(zone).Date()
			return list.has(time.Date(y, m, d, 0, 0, 0, 0, time.UTC))
		})
		if !slices.Equal(got, want) {
			t.Fatalf("%v from %v: %d instants, want %d", s.Specs(), from, len(got), len(want))
		}
		checks += 1 + len(got)
	}
	t.Logf("%d checks", checks)
}
