package schedule

import (
	"errors"
	"slices"
	"testing"
	"time"
)

func TestParse(t *testing.T) {
	at := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		text string
		want Spec
		back string // Format, if not text
	}{
		{"*/5 * * * *", Spec{Expr: "*/5 * * * *"}, ""},
		{"CRON_TZ=Europe/Berlin */5 * * * *", Spec{Expr: "*/5 * * * *", Zone: "Europe/Berlin"}, ""},
		{"TZ=Europe/Berlin\t@daily", Spec{Expr: "@daily", Zone: "Europe/Berlin"}, "CRON_TZ=Europe/Berlin @daily"},
		{"CRON_TZ=UTC @daily", Spec{Expr: "@daily"}, "@daily"},
		{"  0   0 1 * *  ", Spec{Expr: "0 0 1 * *"}, "0 0 1 * *"},
		{"@every 90s", Spec{Kind: KindEvery, Period: 90 * time.Second}, "@every 1m30s"},
		{"@EVERY 1h0m0.5s;anchor=2026-11-23T07:00:00+01:00", Spec{Kind: KindEvery, Period: time.Hour + time.Second/2, Anchor: at}, "@every 1h0m0.5s; anchor=2026-11-23T06:00:00Z"},
		{"@after 5m", Spec{Kind: KindAfter, Period: 5 * time.Minute}, "@after 5m0s"},
		{"@at 2026-11-23T06:00:00Z", Spec{Kind: KindAt, Anchor: at}, ""},
		{"@daily; from=2026-11-23T06:00:00Z; until=2026-11-23T06:00:00.000000001Z; jitter=30s; gap=skip; repeat=both; days=and",
			Spec{Expr: "@daily", From: at, Until: at.Add(1), Jitter: 30 * time.Second, Gap: GapSkip, Repeat: RepeatBoth, AndDays: true}, ""},
		{"0 9 25 * *; except= sat , 12-24..01-02 ;roll=modified-following; holidays=fri..SAT; seed=a/b; not=* 3 * * *+& *  * 13 * FRI",
			Spec{Expr: "0 9 25 * *", Except: "SAT,12-24..01-02", Roll: RollModifiedFollowing, Holidays: "FRI..SAT", Seed: "a/b", Not: "* 3 * * * + & * * 13 * FRI"},
			"0 9 25 * *; roll=modified-following; holidays=FRI..SAT; except=SAT,12-24..01-02; not=* 3 * * * + & * * 13 * FRI; seed=a/b"},
		{"@daily; roll=none", Spec{Expr: "@daily"}, "@daily"},
		{"@daily; days=or; gap=shift; repeat=auto; jitter=0s", Spec{Expr: "@daily"}, "@daily"},
	} {
		got, err := Parse(c.text)
		if err != nil || !slices.Equal(got, []Spec{c.want}) {
			t.Errorf("%q: got %+v, %v", c.text, got, err)
		}
		if c.back == "" {
			c.back = c.text
		}
		if back := Format(got); back != c.back {
			t.Errorf("%q: Format gives %q", c.text, back)
		}
		if again, err := Parse(Format(got)); err != nil || !slices.Equal(again, got) {
			t.Errorf("%q: no round trip: %+v, %v", c.text, again, err)
		}
	}
}

func TestParseUnion(t *testing.T) {
	got, err := Parse("TZ=Europe/Berlin 0 9 * * MON-FRI; jitter=30s|@every 1h | 0 12 * * SAT")
	want := []Spec{{Expr: "0 9 * * MON-FRI", Zone: "Europe/Berlin", Jitter: 30 * time.Second}, {Kind: KindEvery, Period: time.Hour}, {Expr: "0 12 * * SAT"}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if text := Format(got); text != "CRON_TZ=Europe/Berlin 0 9 * * MON-FRI; jitter=30s | @every 1h0m0s | 0 12 * * SAT" {
		t.Errorf("Format gives %q", text)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range []struct {
		text, field string
		pos         int
	}{
		{"", "schedule", 0},
		{"TZ=Europe/Berlin", "schedule", 16},
		{"TZ= * * * * *", "zone", 0},
		{"TZ=Europe/Berlin CRON_TZ=UTC * * * * *", "zone", 17},
		{"@every", "period", 6},
		{"@every 5", "period", 7},
		{"@every 1d", "period", 7},
		{"@every 5m 3s", "period", 7},
		{"@after soon", "period", 7},
		{"@at 2026-11-23", "instant", 4},
		{"@at 1969-12-31T23:59:59Z", "instant", 4},
		{"@at 2026-11-23T06:00:00Z; anchor=2026-11-23T06:00:00Z", "anchor", 26},
		{"@daily;", "option", 7},
		{"@daily; jitter", "option", 8},
		{"@daily; colour=red", "option", 8},
		{"@daily; Jitter=3s", "option", 8},
		{"@daily; jitter=3s; jitter=4s", "jitter", 19},
		{"@daily; jitter=3", "jitter", 15},
		{"@daily; gap=jump", "gap", 12},
		{"@daily; repeat=never", "repeat", 15},
		{"@daily; days=xor", "days", 13},
		{"0 9 * * * | ", "schedule", 12},
		{"| 0 9 * * *", "schedule", 0},
		{"0 9 * * * | @daily; gap=jump", "gap", 24},
		{"@daily | @after 5m", "union", -1},
		{"@daily; except=", "except", 15},
		{"@daily; roll=up", "roll", 13},
		{"@daily; from=9999-01-01T00:00:00Z", "from", 13},
		{"@daily; until=tomorrow", "until", 14},
		{"0 0 * * *\n0 1 * * *", "text", 9},
		{"0 0 * * *; from=２０２６", "text", 16},
	} {
		_, err := Parse(c.text)
		var e *Error
		if !errors.As(err, &e) || e.Field != c.field || e.Pos != c.pos || e.Reason == "" || e.Hint == "" {
			t.Errorf("%q: got %#v, want field %q at %d, a reason and a hint", c.text, err, c.field, c.pos)
		}
	}
	if _, err := Parse(string(make([]byte, MaxText+1))); err == nil {
		t.Error("a long text was accepted")
	}
}
