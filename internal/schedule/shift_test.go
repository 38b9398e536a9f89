package schedule

import (
	"fmt"
	"testing"
	"time"
)

// What a rule has due times in, in two zones, and in Apia, which left a day out.
func TestShifts(t *testing.T) {
	for _, c := range []struct {
		text, from, to string
		want           string
	}{
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			"[2026-03-29T03:00:00+02:00 1h0m0s 02:30 x1 fill=true skip=false][2026-10-25T02:00:00+01:00 -1h0m0s 02:30 x1 repeat=1]"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *; gap=skip; repeat=both", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z",
			"[2026-03-29T03:00:00+02:00 1h0m0s 02:30 x1 fill=false skip=true][2026-10-25T02:00:00+01:00 -1h0m0s 02:30 x1 repeat=2]"},
		{"CRON_TZ=America/New_York */5 * * * *", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z",
			"[2026-03-08T03:00:00-04:00 1h0m0s 02:00 x12 fill=false skip=false]"},
		{"CRON_TZ=America/New_York * * * * * *; gap=skip", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z",
			"[2026-03-08T03:00:00-04:00 1h0m0s 02:00 x1000 fill=false skip=false]"},
		{"CRON_TZ=Europe/Berlin 0 9 * * *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ""},
		{"CRON_TZ=Europe/Berlin 30 2 * * MON", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ""},
		{"CRON_TZ=Europe/Berlin 30 2 * * *; from=2026-06-01T00:00:00Z; until=2026-09-01T00:00:00Z", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ""},
		{"30 2 * * *", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ""},
		{"@every 1h", "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z", ""},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", "[2026-03-29T03:00:00+02:00 1h0m0s 02:30 x1 fill=true skip=false]"},
		{"CRON_TZ=Europe/Berlin 30 2 * * *", "2026-03-29T01:00:01Z", "2026-10-25T00:59:59Z", ""},
		{"CRON_TZ=Pacific/Apia 0 12 * * *", "2011-12-01T00:00:00Z", "2012-01-31T00:00:00Z", "[2011-12-31T00:00:00+14:00 24h0m0s 12:00 x1 fill=true skip=false correction]"},
		{"CRON_TZ=Europe/Berlin 30 2 * * * | CRON_TZ=Europe/Paris 45 2 * * *", "2026-01-01T00:00:00Z", "2026-06-01T00:00:00Z",
			"[2026-03-29T03:00:00+02:00 1h0m0s 02:30 x1 fill=true skip=false][2026-03-29T03:00:00+02:00 1h0m0s 02:45 x1 fill=true skip=false]"},
	} {
		specs, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Compile(specs...)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		s.Shifts(instant(t, c.from), instant(t, c.to), func(s Shift) bool {
			got += shiftText(s)
			return true
		})
		if got != c.want {
			t.Errorf("%s from %s to %s:\n got %s\nwant %s", c.text, c.from, c.to, got, c.want)
		}
	}
}

func shiftText(s Shift) string {
	text := fmt.Sprintf("%s %v %s x%d ", s.At.Format(time.RFC3339), s.By, s.First.Format("15:04"), s.Times)
	if s.By > 0 {
		text += fmt.Sprintf("fill=%v skip=%v", s.Fill, s.Skip)
	} else {
		text += fmt.Sprintf("repeat=%d", s.Repeat)
	}
	if s.Correction {
		text += " correction"
	}
	return "[" + text + "]"
}

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
