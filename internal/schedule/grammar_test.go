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
		{"0 0 -1W * *", "day-of-month", 4, `"" is no value`},
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
		{"0 0 * * FRIDAY", "day-of-week", 8, "SUN to SAT"},
		{"*/0 * * * *", "minute", 2, `step "0"`},
		{"*/90 * * * *", "minute", 2, "@every"},
		{"*/ * * * *", "minute", 2, `step ""`},
		{"*/5/5 * * * *", "minute", 2, `step "5/5"`},
		{"*/-5 * * * *", "minute", 2, `step "-5"`},
		{"+5 * * * *", "minute", 0, `"+5" is no value`},
		{"5- * * * *", "minute", 2, `"" is no value`},
		{"1,,2 * * * *", "minute", 2, "extra comma"},
		{",1 * * * *", "minute", 0, "extra comma"},
		{"1, * * * *", "minute", 2, "extra comma"},
		{"00005 * * * *", "minute", 0, "no value"},
		{"** * * * *", "minute", 0, "no value"},
		{"*-5 * * * *", "minute", 0, "no value"},
		{"?,5 * * * *", "minute", 0, "write *"},
		{"?/5 * * * *", "minute", 0, "write *"},
		{"0 22-2 * * *", "hour", 2, "write 22-23,0-2"},
		{"0 0 * * FRI-MON", "day-of-week", 8, "write 5-6,0-1"},
		{"0 0 * * FRI-SUN", "day-of-week", 8, "write 5-7"},
		{"0 0 * NOV-FEB *", "month", 6, "write 11-12,1-2"},
		{"0 0 LW * *", "day-of-month", 4, "not supported"},
		{"0 0 L-3 * *", "day-of-month", 4, "not supported"},
		{"0 0 * * L", "day-of-week", 8, "SATL"},
		{"H * * * *", "minute", 0, "jitter"},
		{"H/15 * * * *", "minute", 0, "jitter"},
		{"0 H(0-7) * * *", "hour", 2, "jitter"},
		{"@reboot", "expression", 0, "trigger the job"},
		{"@every 5m", "expression", 0, "Spec.Kind"},
		{"@5minutes", "expression", 0, "no macro"},
		{"@daily 5", "expression", 7, "leave the rest out"},
		{"CRON_TZ=UTC * * * * *", "expression", 0, "Spec.Zone"},
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
	_, err := Compile(Spec{Expr: "0 22-2 * * *"})
	const want = `schedule: hour: the range "22-2" runs backwards (at byte 2); write 22-23,0-2`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
