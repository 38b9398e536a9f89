package schedule

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"*/5 * * * *", "CRON_TZ=Europe/Berlin 0 0 L * FRI#2; jitter=30s", "TZ=UTC @daily; gap=skip; repeat=both; days=and",
		"@every 90s; anchor=2026-11-23T06:00:00+01:00", "@after 5m; from=2026-11-23T06:00:00Z", "@at 2262-04-11T23:47:16.854775807Z",
		"0 H(22-2)/2 L-3,LW,28-3 * FRI-MON; seed=x; roll=nearest; holidays=12-24..01-02; except=SAT,2026-01-01..2026-03-01; not=* 3 * * * + & H * 13 * FRI | @every 5m; except=SUN",
		"@every", "; ;", "|", "0 0 * * MON; except=MON", "* * * * *; not=* * * * *", "0 0 1 * *; roll=following; holidays=01-01..12-31", "TZ=", "@at 0000-01-01T00:00:00+14:00", "@every -1ns; jitter=-1h",
		"0 * * * *; jitter=1us",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		specs, err := Parse(text)
		if err != nil {
			checkError(t, err, len(text))
			return
		}
		if again, err := Parse(Format(specs)); err != nil || !slices.Equal(again, specs) {
			t.Fatalf("%q: %q gives %+v, %v", text, Format(specs), again, err)
		}
		c := Compiler{meter: meter{new(int64)}}
		s, err := c.Compile(specs...)
		if err != nil {
			checkError(t, err, len(text))
			return
		}
		if !slices.Equal(s.Specs(), specs) {
			t.Fatalf("%q: Compile changed %+v to %+v", text, specs, s.Specs())
		}
		checkNext(t, s, time.Time{}, c.meter.count)
	})
}

func FuzzCompile(f *testing.F) {
	f.Add("*/5 * * * *", "", "", "", int64(0), uint8(0))
	f.Add("0 30 2 8-14 3 SUN 2026-2200/3", "America/New_York", "12-25,SAT", "* 3 * * *", int64(1772953200), uint8(0xff))
	f.Add("0 0 1W,31W,L 2 5L,FRI#5", "Pacific/Apia", "2011-12-01..2012-02-03", "", int64(1325239200), uint8(1))
	f.Add("0 0 30 2 *", "Australia/Lord_Howe", "", "0 0 * * * + & * * 13 * FRI", int64(-1), uint8(7))
	f.Fuzz(func(t *testing.T, expr, zone, days, not string, at int64, policy uint8) {
		c := Compiler{meter: meter{new(int64)}}
		s, err := c.Compile(Spec{Expr: expr, Zone: zone, Gap: Gap(policy & 1), Repeat: Repeat(policy >> 1 & 3), AndDays: policy&8 != 0,
			Except: days, Not: not, Roll: Roll(policy >> 4 % 6)})
		if err != nil {
			checkError(t, err, len(expr)+len(not))
			return
		}
		if again, err := Parse(Format(s.Specs())); err != nil || !slices.Equal(again, s.Specs()) {
			t.Fatalf("%q gives %+v, %v", s.Specs(), again, err)
		}
		checkNext(t, s, time.Unix(at, 0), c.meter.count)
	})
}

func checkError(t *testing.T, err error, length int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Field == "" || e.Reason == "" || e.Pos < -1 || e.Pos > length {
		t.Fatalf("poor error %#v", err)
	}
}

func checkNext(t *testing.T, s *Schedule, at time.Time, steps *int64) {
	t.Helper()
	if text := s.Describe(); len(text) < 5 {
		t.Fatalf("%v is described as %q", s.Specs(), text)
	}
	for range 3 {
		*steps = 0
		next, ok := s.Next(at)
		if *steps > maxSteps*int64(len(s.rules)) {
			t.Fatalf("%v after %v took %d steps", s.Specs(), at, *steps)
		}
		if !ok {
			break
		}
		if !next.After(at) || !inHorizon(next) {
			t.Fatalf("%v after %v: got %v", s.Specs(), at, next)
		}
		at = next
	}
}
