package schedule

import (
	"errors"
	"strings"
	"testing"
)

func TestGrammarAccepts(t *testing.T) {
	for _, expr := range []string{
		"* * * * *", "? ? ? ? ?", "*,5 * * * *", "0 0 ? * ?", "05 00 01 01 00", "*/60 */24 */31 */12 */7",
		"0,1,2-4,5-10/2,30/15 * * * *", "0 0 * jan-DEC Sun-sat", "0 0 * JAN,FEB/2 MON/2", "0 0 * * 7-2", "0 0 * * 7/3",
		"0 0 L * *", "0 0 l,15w,1W * *", "0 0 * * 5L,fril,FRI#2,7#5,0#1", "0 0 1 1 * 2026", "0 0 1 1 * 2026-2030/2,2040",
		"0 22-2 * * *", "50-10/7 22-2/2 28-3 NOV-FEB FRI-MON", "0 0 * * FRI-SUN", "0 0 * * 7-1,6-7",
		"0 0 LW * *", "0 0 L-3,l-30w,lW * *", "H H H H H", "H H(0-7) * * *", "H/15 h(9-17)/2 H(1-28) * h(MON-FRI)", "H H(22-2) * * H(5-7)/2", "H H H * * *",
		"0 0 0 1 1 * *", "0 0 0 1 1 ? */4", "0 0 0 1 1 * 2000/50", "@hourly", "@DAILY", " @midnight ",
	} {
		if _, err := Compile(Spec{Expr: expr}); err != nil {
			t.Errorf("%q: %v", expr, err)
		}
	}
}

func TestGrammarRefuses(t *testing.T) {
	for _, c := range []struct {
		expr, field string
		pos         int
		text        string
	}{
		{"", "expression", -1, "has 0 fields"},
		{"* * * *", "expression", -1, "has 4 fields"},
		{"* * * * * * * *", "expression", -1, "has 8 fields"},
		{"60 * * * *", "minute", 0, "60 is not between 0 and 59"},
		{"* 24 * * *", "hour", 2, "24 is not between 0 and 23"},
		{"* * 0 * *", "day-of-month", 4, "between 1 and 31"},
		{"* * 32 * *", "day-of-month", 4, "between 1 and 31"},
		{"* * * 13 *", "month", 6, "between 1 and 12"},
		{"* * * * 8", "day-of-week", 8, "between 0 and 7"},
		{"* * * * * 1969", "year", 10, "between 1970 and 2262"},
		{"0 * * * * * 2263", "year", 12, "between 1970 and 2262"},
		{"0-29,99 * * * * *", "second", 5, "99 is not between"},
		{"*,abc * * * *", "minute", 2, `"abc" is no value`},
		{"1-2-3 * * * *", "minute", 2, `"2-3" is no value`},
		{"70/5 * * * *", "minute", 0, "70 is not between"},
		{"0 0 -1W * *", "day-of-month", 4, "a value is missing"},
		{"0 0 0W * *", "day-of-month", 4, "between 1 and 31"},
		{"0 0 1-5W * *", "day-of-month", 4, `"1-5" is no value`},
		{"0 0 W * *", "day-of-month", 4, `"W" is no value`},
		{"0 0 0/5 * *", "day-of-month", 4, "between 1 and 31"},
		{"0 0 * * 99L", "day-of-week", 8, "99 is not between"},
		{"0 0 * * 8#1", "day-of-week", 8, "8 is not between"},
		{"0 0 * * 5#6", "day-of-week", 10, `week "6"`},
		{"0 0 * * 5#0", "day-of-week", 10, `week "0"`},
		{"0 0 * * 5#", "day-of-week", 10, `week ""`},
		{"0 0 * * 1-5#2", "day-of-week", 8, `"1-5" is no value`},
		{"FEB * * * *", "minute", 0, `"FEB" is no value`},
		{"0 0 * MON *", "month", 6, "JAN to DEC"},
		{"0 0 * * FRIDAY", "day-of-week", 8, "write FRI"},
		{"0 0 * * FR", "day-of-week", 8, "SUN to SAT"},
		{"0 0 * * MON..FRI", "day-of-week", 8, "a range is written MON-FRI"},
		{"0 9 * * * CRON_TZ=UTC", "expression", 10, "stands in front"},
		{"*/0 * * * *", "minute", 2, `step "0"`},
		{"*/90 * * * *", "minute", 2, "@every"},
		{"*/ * * * *", "minute", 2, `step ""`},
		{"*/5/5 * * * *", "minute", 2, `step "5/5"`},
		{"*/-5 * * * *", "minute", 2, `step "-5"`},
		{"+5 * * * *", "minute", 0, `"+5" is no value`},
		{"5- * * * *", "minute", 2, "a value is missing"},
		{"1,,2 * * * *", "minute", 2, "extra comma"},
		{",1 * * * *", "minute", 0, "extra comma"},
		{"1, * * * *", "minute", 2, "extra comma"},
		{"00005 * * * *", "minute", 0, "no value"},
		{"** * * * *", "minute", 0, "no value"},
		{"*-5 * * * *", "minute", 0, "no value"},
		{"?,5 * * * *", "minute", 0, "write *"},
		{"?/5 * * * *", "minute", 0, "write *"},
		{"0 0 * * L", "day-of-week", 8, "SATL"},
		{"0 0 WL * *", "day-of-month", 4, "write LW"},
		{"0 0 L-0 * *", "day-of-month", 6, "between 1 and 30"},
		{"0 0 L-31 * *", "day-of-month", 6, "between 1 and 30"},
		{"0 0 L- * *", "day-of-month", 6, "between 1 and 30"},
		{"0 0 L-3-5 * *", "day-of-month", 6, "between 1 and 30"},
		{"0 0 LL * *", "day-of-month", 4, "no value"},
		{"0 0 1 1 * 2030-2026", "year", 10, "the earlier one first"},
		{"0 0 1 1 * H/1000", "year", 10, "no meaning for years"},
		{"0 0 1 1 * 2026,H", "year", 15, "no meaning for years"},
		{"HH * * * *", "minute", 0, "is no hash"},
		{"H5 * * * *", "minute", 0, "write H, H/5 or H(0-59)"},
		{"H() * * * *", "minute", 0, "is no hash"},
		{"H(5) * * * *", "minute", 0, "is no hash"},
		{"H(0-60) * * * *", "minute", 4, "60 is not between 0 and 59"},
		{"H(0-9)/20 * * * *", "minute", 0, "longer than the range of 10"},
		{"0 0 H/29 * *", "day-of-month", 4, "longer than the range of 28"},
		{"H/60 H/24 * * H/8", "day-of-week", 16, `step "8"`},
		{"H-5 * * * *", "minute", 0, "is no hash"},
		{"\u017fun * * * *", "minute", 0, "no value"},
		{"@reboot", "expression", 0, "trigger the job"},
		{"@every 5m", "expression", 0, "schedule of its own"},
		{"@5minutes", "expression", 0, "no macro"},
		{"@daily 5", "expression", 7, "leave the rest out"},
		{"CRON_TZ=UTC * * * * *", "expression", 0, "stands in front"},
		{"* * * * *\n", "day-of-week", 8, "no value"},
		{"* * * * \u00a0", "day-of-week", 8, "no value"},
		{"0 0 1 1 *;", "day-of-week", 8, "no value"},
		{strings.Repeat("1,", 300) + "1 * * * *", "expression", MaxExpr, "512"},
	} {
		_, err := Compile(Spec{Expr: c.expr})
		var e *Error
		if !errors.As(err, &e) || e.Field != c.field || e.Pos != c.pos || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%.40q: got %v, want field %q at %d and %q", c.expr, err, c.field, c.pos, c.text)
		}
	}
}

func TestErrorText(t *testing.T) {
	_, err := Compile(Spec{Expr: "0 0-24 * * *"})
	const want = `schedule: hour: 24 is not between 0 and 23 (at byte 4 of "0 0-24 * * *"); the order of the fields is (second) minute hour day-of-month month day-of-week (year)`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, err = Parse("@daily; gap=jump")
	const wantHint = `schedule: gap: "jump" is unknown (at byte 12 of "@daily; gap=jump"); use shift, skip`
	if err == nil || err.Error() != wantHint {
		t.Errorf("got %v, want %s", err, wantHint)
	}
	_, err = Compile(Spec{Expr: "@daily", Not: "* 3 * * * + * 25 * * *"})
	const wantNot = `schedule: not: hour: 25 is not between 0 and 23 (at byte 2 of "* 25 * * *"); the order of the fields is (second) minute hour day-of-month month day-of-week (year)`
	if err == nil || err.Error() != wantNot {
		t.Errorf("got %v, want %s", err, wantNot)
	}
}
