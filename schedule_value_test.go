package chronos_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// Every way to make a schedule has a text form that makes it again, also
// through JSON.
func TestScheduleText(t *testing.T) {
	berlin, day := zone("Europe/Berlin"), time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	for want, s := range map[string]chronos.Schedule{
		"":            {},
		"0 9 * * *":   chronos.Cron("  0 9\t* * *"),
		"@every 1m0s": chronos.Cron("@every 1m"),
		"CRON_TZ=Europe/Berlin 0 9 * * MON-FRI; jitter=1m0s; gap=skip; repeat=last; days=and": chronos.Cron("0 9 * * MON-FRI").In(berlin).Jitter(time.Minute).SkipGap().RepeatLast().MatchBothDays(),
		"0 * * * *; repeat=first": chronos.Cron("0 * * * *").RepeatFirst(),
		"0 9 * * * | @every 1h30m0s; anchor=2026-11-25T00:00:00Z | @at 2026-11-26T00:00:00Z":                                         chronos.Union(chronos.Cron("0 9 * * *"), chronos.Every(90*time.Minute).Anchor(day), chronos.At(day.AddDate(0, 0, 1))),
		"CRON_TZ=Europe/Berlin 0 9 * * *; until=2026-11-25T00:00:00Z | CRON_TZ=Europe/Berlin 0 12 * * *; until=2026-11-25T00:00:00Z": chronos.Union(chronos.Cron("0 9 * * *"), chronos.Cron("0 12 * * *")).In(berlin).Until(day),
		"0 9 * * *; except=SAT..SUN,12-25,2026-12-24..2027-01-02":                                                                    chronos.Cron("0 9 * * *").ExceptDays("sat..SUN").ExceptDays().ExceptDays("12-25", "2026-12-24..2027-01-02"),
		"*/5 * * * *; not=* 2-3 * * * + & * * 13 * FRI + 0 9 * * * + 0 10 * * *":                                                     chronos.Cron("*/5 * * * *").Except(chronos.Cron("* 2-3 * * *")).Except(chronos.Cron("* * 13 * FRI").MatchBothDays()).Except(chronos.Union(chronos.Cron("0 9 * * *"), chronos.Cron("0 10 * * *"))),
		"CRON_TZ=Europe/Berlin 0 9 * * *; not=0 9 25 12 *":                                                                           chronos.Cron("0 9 * * *").In(berlin).Except(chronos.Cron("0 9 25 12 *").In(berlin)),
		"0 9 25 * *; roll=preceding": chronos.Cron("0 9 25 * *").OnBusinessDays(chronos.RollPreceding),
		"0 9 25 * *; roll=modified-following; holidays=12-25..12-26,2027-03-26": chronos.Cron("0 9 25 * *").OnBusinessDays(chronos.RollModifiedFollowing, "12-25..12-26", "2027-03-26"),
		"H H(0-7) * * *":              chronos.Cron("H H(0-7) * * *"),
		"H H(0-7) * * *; seed=backup": chronos.Cron("H H(0-7) * * *").For("backup").For("other"),
		"0 7 * * *":                   chronos.Cron("0 7 * * *").For("backup"),
	} {
		if err := s.Err(); err != nil || s.String() != want {
			t.Errorf("got %q, %v, want %q", s, err, want)
		}
		data, err := json.Marshal(map[string]chronos.Schedule{"schedule": s})
		if err != nil {
			t.Fatal(err)
		}
		var back map[string]chronos.Schedule
		if err := json.Unmarshal(data, &back); err != nil || back["schedule"].String() != want || back["schedule"].IsZero() != s.IsZero() {
			t.Errorf("%s came back as %q, %v", data, back["schedule"], err)
		}
		again, err := chronos.ParseSchedule(want)
		if err != nil || !slices.EqualFunc(s.NextN(day, 20), again.NextN(day, 20), time.Time.Equal) {
			t.Errorf("%q: not the same instants: %v", want, err)
		}
	}
	var s chronos.Schedule
	if err := json.Unmarshal([]byte(`"0 25 * * *"`), &s); err == nil || !s.IsZero() {
		t.Errorf("got %v, %v", s, err)
	}
}

// A method changes a copy. The value and its copies may be used at once.
func TestScheduleIsAValue(t *testing.T) {
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s := chronos.Cron("0 9 * * *")
	copied := s
	changed := s.In(zone("Europe/Berlin"))
	next, _ := s.Next(day)
	same, _ := copied.Next(day)
	other, _ := changed.Next(day)
	if !next.Equal(day.Add(9*time.Hour)) || !same.Equal(next) || !other.Equal(day.Add(8*time.Hour)) {
		t.Errorf("got %v, %v and %v", next, same, other)
	}
	var zero chronos.Schedule
	zero = zero.In(time.UTC).Jitter(time.Second).ExceptDays("SAT").Except(s).OnBusinessDays("x").For("a")
	if _, ok := zero.Next(day); !zero.IsZero() || zero.Err() != nil || ok || zero.Describe() != "" {
		t.Errorf("the zero Schedule became %q, %v", zero, zero.Err())
	}
}

func TestSchedulePreviews(t *testing.T) {
	day := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	s := chronos.Cron("0 */6 * * *").Until(day.Add(18 * time.Hour))
	if got := s.NextN(day, 9); len(got) != 3 || !got[0].Equal(day.Add(6*time.Hour)) {
		t.Errorf("NextN gives %v", got)
	}
	if got := s.NextN(day, 0); len(got) != 0 {
		t.Errorf("NextN of none gives %v", got)
	}
	if got := slices.Collect(s.Between(day, day.Add(12*time.Hour))); len(got) != 3 || !got[0].Equal(day) || !got[2].Equal(day.Add(12*time.Hour)) {
		t.Errorf("Between gives %v", got)
	}
	if got := slices.Collect(s.Between(day, time.Time{})); len(got) != 4 {
		t.Errorf("Between without an end gives %v", got)
	}
	for range chronos.Every(time.Second).Between(day, time.Time{}) {
		break // it ends with the loop
	}
	if got := slices.Collect(chronos.Cron("0 25 * * *").Between(day, day.AddDate(1, 0, 0))); got != nil {
		t.Errorf("a wrong schedule gives %v", got)
	}
}

// Next compiles once and does not allocate afterwards.
func TestScheduleNextDoesNotAllocate(t *testing.T) {
	s := chronos.Union(chronos.Cron("*/5 * * * *").In(zone("Europe/Berlin")).ExceptDays("SAT", "12-24..01-02").Except(chronos.Cron("* 2-3 * * *")),
		chronos.Cron("0 9 25 * *").OnBusinessDays(chronos.RollPreceding, "12-25"))
	at, _ := s.Next(time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC))
	if n := testing.AllocsPerRun(500, func() { at, _ = s.Next(at) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What Put accepts can be read back, and says the same then.
func TestScheduleTextLimit(t *testing.T) {
	days := make([]string, 900)
	for i := range days {
		d := time.Date(2026, 1, 1+2*i, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		days[i] = d + ".." + d
	}
	for _, n := range []int{10, 500, 700, 900} {
		s := chronos.Cron("0 9 * * *").ExceptDays(days[:n]...)
		_, err := chronos.ParseSchedule(s.String())
		if (err == nil) != (s.Err() == nil) {
			t.Errorf("%d days: Err says %v, ParseSchedule %v", n, s.Err(), err)
		}
	}
}

// A text must not say less than what was asked for.
func TestScheduleTextFails(t *testing.T) {
	for name, s := range map[string]chronos.Schedule{
		"roll":   chronos.Cron("0 9 * * *").OnBusinessDays("sideways"),
		"except": chronos.Cron("0 9 * * *").Except(chronos.Every(time.Hour)),
		"union":  chronos.Union(),
		"parse":  chronos.Cron("@often; x"),
		"zone":   chronos.Cron("0 9 * * *").In(nil),
	} {
		if data, err := json.Marshal(s); err == nil {
			t.Errorf("%s: became %s", name, data)
		}
	}
}

func TestScheduleZones(t *testing.T) {
	parsed, err := time.Parse(time.RFC3339, "2026-11-25T09:00:00+02:00")
	if err != nil {
		t.Fatal(err)
	}
	load := func(name string) *time.Location { return zone(name) }
	for _, c := range []struct {
		loc *time.Location
		ok  bool
	}{
		{time.UTC, true}, {load("UTC"), true}, {load("Europe/Berlin"), true}, {load("Etc/GMT-2"), true}, {load("CET"), true},
		{load("Africa/Abidjan"), true}, {load("EST"), true}, {time.FixedZone("UTC", 0), true},
		{nil, false}, {time.Local, false}, {parsed.Location(), false}, {time.FixedZone("", 3600), false}, {time.FixedZone("UTC", 7200), false},
		{time.FixedZone("CET", 3600), false}, {time.FixedZone("Europe/Berlin", 9*3600), false}, {time.FixedZone("mine", 0), false},
	} {
		if err := chronos.Cron("0 9 * * *").In(c.loc).Err(); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.loc, err)
		}
	}
	every := chronos.Cron("*/10 * * * *")
	for _, c := range []struct {
		s  chronos.Schedule
		ok bool
	}{
		{every.Except(chronos.Cron("* 2-3 * * *").In(time.UTC)), true},
		{every.Except(chronos.Cron("* 2-3 * * *")).In(load("Europe/Berlin")), true},
		{every.In(load("Europe/Berlin")).Except(chronos.Cron("* 2-3 * * *")), true},
		{every.In(load("Europe/Berlin")).Except(chronos.Cron("* 2-3 * * *").In(time.UTC)), false},
		{every.Except(chronos.Cron("* 2 * * * + * 3 * * *")), false},
		{every.Except(chronos.Cron("& * 2 * * *")), false},
		{every.ExceptDays(""), false},
		{chronos.At(time.Unix(4e9, 0)).Anchor(time.Unix(4e9, 0)), false},
	} {
		if err := c.s.Err(); (err == nil) != c.ok {
			t.Errorf("%v: %v", c.s, err)
		}
	}
}

// A schedule read from the scheduler previews its job, and is put back unchanged.
func TestStoredHash(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		for _, id := range []string{"a", "b", "c", "d", "e", "f"} {
			never := chronos.Cron("0 0 30 H(2-3) *") // of February, for some
			if _, err := r.Put(r.ctx, chronos.Job{ID: id, Handler: "h", Schedule: never}); (err == nil) != (never.For(id).Err() == nil) {
				t.Errorf("%s: Put says %v, For %v", id, err, never.For(id).Err())
			}
			job := r.put(chronos.Job{ID: id, Schedule: chronos.Cron("H H * * *")})
			got := r.get(id)
			if next, _ := got.Schedule.Next(time.Now()); !next.Equal(got.State.NextDue) || !next.Equal(job.State.NextDue) {
				t.Errorf("%s: previews %v, is due %v", id, next, got.State.NextDue)
			}
			again := r.put(got)
			if again.Version != got.Version || again.Schedule.String() != "H H * * *" {
				t.Errorf("%s: put back as %v, version %d", id, again.Schedule, again.Version)
			}
		}
	})
}
