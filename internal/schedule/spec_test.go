package schedule

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCompileRefuses(t *testing.T) {
	day := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	far := time.Date(2262, 4, 12, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		spec  Spec
		field string
		text  string // part of the message
	}{
		{Spec{Kind: 9}, "kind", "KindCron"},
		{Spec{Expr: "* * * * *", Zone: "Local"}, "zone", "name an IANA zone"},
		{Spec{Expr: "* * * * *", Zone: "local"}, "zone", "differs between machines"},
		{Spec{Expr: "* * * * *", Zone: "localtime"}, "zone", "differs between machines"},
		{Spec{Expr: "* * * * *", Zone: "right/UTC"}, "zone", "leave the prefix out: UTC"},
		{Spec{Expr: "* * * * *", Zone: "Europe/Berlni"}, "zone", "time/tzdata"},
		{Spec{Expr: "* * * * *", Zone: "../etc/passwd"}, "zone", "no IANA name"},
		{Spec{Expr: "* * * * *", Zone: "+02:00"}, "zone", "Etc/GMT-2"},
		{Spec{Kind: KindEvery, Period: time.Hour, Zone: "Nowhere"}, "zone", "unknown here"},
		{Spec{Expr: "* * * * *", Jitter: -1}, "jitter", "between 0 and 24h"},
		{Spec{Expr: "* * * * *", Jitter: 24*time.Hour + 1}, "jitter", "between 0 and 24h"},
		{Spec{Expr: "* * * * *", Gap: 2}, "gap", "GapShift"},
		{Spec{Expr: "* * * * *", Repeat: 4}, "repeat", "RepeatAuto"},
		{Spec{Expr: "* * * * *", From: day, Until: day.Add(-1)}, "until", "before from"},
		{Spec{Expr: "* * * * *", From: far}, "from", "out of range"},
		{Spec{Expr: "* * * * *", Until: time.Unix(-1, 0)}, "until", "out of range"},
		{Spec{Expr: "* * * * *", Period: 1}, "period", "KindEvery"},
		{Spec{Expr: "* * * * *", Anchor: day}, "anchor", "From"},
		{Spec{Expr: "0 * * * *", From: day.Add(1), Until: day.Add(time.Minute)}, "from, until", "no due instant"},
		{Spec{Expr: "0 0 30 2 *"}, "expression", "never due"},
		{Spec{Expr: "0 0 31 4,6,9,11 *"}, "expression", "never due"},
		{Spec{Expr: "0 0 29 2 * 2027"}, "expression", "never due"},
		{Spec{Expr: "30 2 8 3 * 2026", Zone: "America/New_York", Gap: GapSkip}, "expression", "never due"},
		{Spec{Expr: "0 12 30 12 * 2011", Zone: "Pacific/Apia"}, "expression", "never due"},
		{Spec{Expr: "@daily", Except: "2026-02-30"}, "except", "is no date"},
		{Spec{Expr: "@daily", Except: "2026-13-01"}, "except", "write 2026-12-24"},
		{Spec{Expr: "@daily", Except: "1969-12-31"}, "except", "outside 1970 to 2262"},
		{Spec{Expr: "@daily", Except: "2026-01-02..2026-01-01"}, "except", "runs backwards"},
		{Spec{Expr: "@daily", Except: "2026-01-02..01-01"}, "except", "is no day"},
		{Spec{Expr: "@daily", Except: "02-30"}, "except", "is no day of a year"},
		{Spec{Expr: "@daily", Except: "13-01..01-01"}, "except", "is no day of a year"},
		{Spec{Expr: "@daily", Except: "1-1"}, "except", "is no day"},
		{Spec{Expr: "@daily", Except: strings.Repeat("2026-01-01..2026-01-02,", 900) + "SAT"}, "schedule", "bytes as a text"},
		{Spec{Expr: "@daily", Except: "FRY"}, "except", "is no day of the week"},
		{Spec{Expr: "@daily", Except: "SAT,,SUN"}, "except", "is no day"},
		{Spec{Expr: "@daily", Except: "SAT..SUN..MON"}, "except", "is no day"},
		{Spec{Expr: "@daily", Except: strings.Repeat("01-01,", MaxDays) + "01-02"}, "except", "at most"},
		{Spec{Expr: "0 0 * * MON", Except: "MON"}, "except, not", "leave no due instant"},
		{Spec{Expr: "0 0 * * *", Except: "01-01..12-31"}, "except, not", "leave no due instant"},
		{Spec{Kind: KindEvery, Period: time.Millisecond, Except: "01-01..12-31"}, "except, not", "leave no due instant"},
		{Spec{Kind: KindEvery, Period: 24 * time.Hour, Except: "MON..SUN"}, "except, not", "leave no due instant"},
		{Spec{Expr: "*/2 * * * * *", Not: "* * * * * *"}, "except, not", "leave no due instant"},
		{Spec{Expr: "0 9 * * *", Not: "0 9 * * 1-3 + 0 9 * * 4-7"}, "except, not", "leave no due instant"},
		{Spec{Expr: "@daily", Not: "0 9 * *"}, "not: expression", "has 4 fields"},
		{Spec{Expr: "@daily", Not: "+ 0 9 * * *"}, "not: expression", "has 0 fields"},
		{Spec{Expr: "@daily", Not: strings.Repeat("0 9 * * *+", maxNot) + "0 9 * * *"}, "not", "more than 6"},
		{Spec{Expr: "@daily", Roll: 9}, "roll", "modified-following"},
		{Spec{Expr: "@daily", Holidays: "12-25"}, "holidays", "say where"},
		{Spec{Expr: "@daily", Roll: RollNearest, Holidays: "12"}, "holidays", "is no day"},
		{Spec{Expr: "@daily", Roll: RollNearest, Holidays: "MON..SUN"}, "holidays", "from 1970-01-01"},
		{Spec{Expr: "@daily", Roll: RollNearest, Holidays: "2026-06-01..2026-07-02"}, "holidays", "from 2026-05-3"},
		{Spec{Expr: "H * * * *", Seed: "a b"}, "seed", "letters, digits"},
		{Spec{Expr: "H * * * *", Seed: strings.Repeat("a", MaxSeed+1)}, "seed", "letters, digits"},
		{Spec{Kind: KindEvery, Period: time.Hour, Roll: RollNearest}, "roll", "only a cron schedule"},
		{Spec{Kind: KindEvery, Period: time.Hour, Not: "* 3 * * *"}, "not", "only a cron schedule"},
		{Spec{Kind: KindAt, Anchor: day, Except: "SAT"}, "except", "only a cron schedule and a period have"},
		{Spec{Kind: KindAfter, Period: time.Hour, Except: "SAT"}, "except", "only a cron schedule and a period have"},
		{Spec{Kind: KindEvery, Period: time.Millisecond - 1}, "period", "at least 1ms"},
		{Spec{Kind: KindEvery, Period: -time.Hour}, "period", "at least 1ms"},
		{Spec{Kind: KindEvery, Period: time.Hour, Expr: "*"}, "expression", "KindCron"},
		{Spec{Kind: KindEvery, Period: time.Hour, Gap: GapSkip}, "gap, repeat, days", "civil time"},
		{Spec{Kind: KindEvery, Period: time.Hour, From: day.Add(1), Until: day.Add(2)}, "from, until", "no due instant"},
		{Spec{Kind: KindAfter}, "period", "at least 1ms"},
		{Spec{Kind: KindAfter, Period: time.Hour, Anchor: day}, "anchor", "From"},
		{Spec{Kind: KindAt}, "anchor", "missing"},
		{Spec{Kind: KindAt, Anchor: day, Period: 1}, "period", "one-shot"},
		{Spec{Kind: KindAt, Anchor: far}, "anchor", "out of range"},
		{Spec{Kind: KindAt, Anchor: day, Until: day.Add(-1)}, "from, until", "no due instant"},
		{Spec{Kind: KindAt, Anchor: day, From: day.Add(1)}, "from, until", "no due instant"},
	} {
		s, err := Compile(c.spec)
		var e *Error
		if s != nil || !errors.As(err, &e) || e.Field != c.field || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%+v: got %v, want field %q and %q", c.spec, err, c.field, c.text)
		}
	}
}

func TestUnionRefuses(t *testing.T) {
	cron, after := Spec{Expr: "@daily"}, Spec{Kind: KindAfter, Period: time.Hour}
	for _, specs := range [][]Spec{nil, {cron, after}, {cron, {Expr: "0 0 30 2 *"}}, make([]Spec, MaxRules+1)} {
		if s, err := Compile(specs...); err == nil {
			t.Errorf("%v: got %v", specs, s)
		}
	}
	if _, err := Compile(slices.Repeat([]Spec{cron}, MaxRules)...); err != nil {
		t.Error(err)
	}
}

func TestSpecNormalForm(t *testing.T) {
	berlin, _ := time.LoadLocation("Europe/Berlin")
	from := time.Now().In(berlin)
	s, err := Compile(Spec{Expr: " */5  *\t* * * ", Zone: "UTC", From: from, Until: from.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	spec := s.Specs()[0]
	if spec.Expr != "*/5 * * * *" || spec.Zone != "" || !spec.From.Equal(from) || spec.From.Location() != time.UTC {
		t.Errorf("not in normal form: %+v", spec)
	}
	if back, err := Parse(spec.String()); err != nil || len(back) != 1 || back[0] != spec {
		t.Errorf("%s: got %+v, %v", spec, back, err)
	}
}

func TestCompilerSharesZones(t *testing.T) {
	var c Compiler
	spec := Spec{Expr: "0 0 * * *", Zone: "Europe/Berlin"}
	a, err := c.Compile(spec)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := c.Compile(spec); a.rules[0].cron.zone != b.rules[0].cron.zone {
		t.Error("the zone was loaded twice")
	}
}
