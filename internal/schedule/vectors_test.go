package schedule

import (
	"testing"
	"time"
)

// vector is a schedule, an instant, and the due instants that follow it, in the
// schedule's zone.
type vector struct {
	source string
	text   string
	after  string
	want   []string // "none" = never again
}

func checkVectors(t *testing.T, vectors []vector) {
	t.Helper()
	for _, v := range vectors {
		specs, err := Parse(v.text)
		if err != nil {
			t.Errorf("%s: %v", v.source, err)
			continue
		}
		s, err := Compile(specs...)
		if err != nil {
			t.Errorf("%s: %q: %v", v.source, v.text, err)
			continue
		}
		zone, _ := time.LoadLocation(specs[0].Zone)
		at, err := time.Parse(time.RFC3339Nano, v.after)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range v.want {
			next, ok := s.Next(at)
			got := next.In(zone).Format(time.RFC3339Nano)
			if !ok {
				got = "none"
			}
			if got != want {
				t.Errorf("%s: %q after %s: got %s, want %s", v.source, v.text, at.In(zone).Format(time.RFC3339Nano), got, want)
			}
			if next.Location() != time.UTC {
				t.Errorf("%q: the result is in %v", v.text, next.Location())
			}
			at = next
		}
	}
}

func TestDaylightSaving(t *testing.T) {
	checkVectors(t, []vector{
		{"gap: once, at the first valid instant", "CRON_TZ=America/New_York 30 2 * * *", "2026-03-07T12:00:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"}},
		{"repeat: once, at the first", "CRON_TZ=America/New_York 30 1 * * *", "2026-10-31T12:00:00-04:00",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"}},
		{"no midnight", "CRON_TZ=America/Sao_Paulo 0 0 * * *", "2018-11-03T12:00:00-03:00",
			[]string{"2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"}},
		{"no midnight, Santiago", "CRON_TZ=America/Santiago 0 0 * * *", "2026-09-05T12:00:00-04:00",
			[]string{"2026-09-06T01:00:00-03:00", "2026-09-07T00:00:00-03:00"}},
		{"no midnight, Havana", "CRON_TZ=America/Havana @daily", "2026-03-07T12:00:00-05:00",
			[]string{"2026-03-08T01:00:00-04:00", "2026-03-09T00:00:00-04:00"}},
		{"30 minute gap", "CRON_TZ=Australia/Lord_Howe 15 2 * * *", "2026-10-03T12:00:00+10:30",
			[]string{"2026-10-04T02:30:00+11:00", "2026-10-05T02:15:00+11:00"}},
		{"30 minute repeat", "CRON_TZ=Australia/Lord_Howe 45 1 * * *", "2026-04-04T12:00:00+11:00",
			[]string{"2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"}},
		{"wildcard hour keeps the second 01:00", "CRON_TZ=America/New_York 0 * * * *", "2026-11-01T00:30:00-04:00",
			[]string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00", "2026-11-01T02:00:00-05:00"}},
		{"wildcard jobs get nothing extra after a gap", "CRON_TZ=America/New_York 30 * * * *", "2026-03-08T01:00:00-05:00",
			[]string{"2026-03-08T01:30:00-05:00", "2026-03-08T03:30:00-04:00"}},
		{"wildcard minute in a gap", "CRON_TZ=America/New_York */20 2 * * *", "2026-03-07T03:00:00-05:00",
			[]string{"2026-03-09T02:00:00-04:00"}},
		{"several times in one gap collapse", "CRON_TZ=America/New_York 0,15,30 2,3 * * *", "2026-03-08T00:00:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-08T03:15:00-04:00"}},
		{"seconds collapse too", "CRON_TZ=America/New_York */10 30 2 * * *", "2026-03-08T00:00:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00", "2026-03-09T02:30:10-04:00"}},
		{"asked right before the end of the gap", "CRON_TZ=America/New_York 30 2 * * *", "2026-03-08T06:59:59.999Z",
			[]string{"2026-03-08T03:00:00-04:00"}},
		{"asked at the end of the gap", "CRON_TZ=America/New_York 30 2 * * *", "2026-03-08T07:00:00Z",
			[]string{"2026-03-09T02:30:00-04:00"}},
		{"a yearly job in the gap is not lost", "CRON_TZ=America/New_York 30 2 8 3 * 2026", "2026-01-01T00:00:00Z",
			[]string{"2026-03-08T03:00:00-04:00", "none"}},
		{"gap=skip", "CRON_TZ=America/New_York 30 2 * * *; gap=skip", "2026-03-07T12:00:00-05:00",
			[]string{"2026-03-09T02:30:00-04:00"}},
		{"repeat=last", "CRON_TZ=America/New_York 30 1 * * *; repeat=last", "2026-10-31T12:00:00-04:00",
			[]string{"2026-11-01T01:30:00-05:00", "2026-11-02T01:30:00-05:00"}},
		{"repeat=both", "CRON_TZ=America/New_York 30 1 * * *; repeat=both", "2026-10-31T12:00:00-04:00",
			[]string{"2026-11-01T01:30:00-04:00", "2026-11-01T01:30:00-05:00", "2026-11-02T01:30:00-05:00"}},
		{"repeat=both, year field used up by the first pass", "CRON_TZ=America/New_York 30 1 1 11 * 2026; repeat=both", "2026-11-01T05:30:00Z",
			[]string{"2026-11-01T01:30:00-05:00", "none"}},
		{"repeat=first on a wildcard job", "CRON_TZ=America/New_York 0 * * * *; repeat=first", "2026-11-01T00:30:00-04:00",
			[]string{"2026-11-01T01:00:00-04:00", "2026-11-01T02:00:00-05:00"}},
		{"a skipped day is a correction", "CRON_TZ=Pacific/Apia 0 12 * * *", "2011-12-28T12:00:00-10:00",
			[]string{"2011-12-29T12:00:00-10:00", "2011-12-31T12:00:00+14:00"}},
		{"a skipped day, by date", "CRON_TZ=Pacific/Apia 0 12 30 12 *", "2011-12-01T00:00:00-10:00",
			[]string{"2012-12-30T12:00:00+14:00"}},
		{"three hours still count as daylight saving", "CRON_TZ=Antarctica/Casey 30 1 * * *", "2016-10-21T12:00:00+08:00",
			[]string{"2016-10-22T03:00:00+11:00", "2016-10-23T01:30:00+11:00"}},
		{"a bound between the due time and the end of the gap", "CRON_TZ=America/New_York 30 2 * * *; until=2026-03-08T07:00:00Z", "2026-03-07T12:00:00-05:00",
			[]string{"2026-03-08T03:00:00-04:00", "none"}},
		{"the 366th day of a year beyond the zone's table", "CRON_TZ=America/New_York 0 12 31 12 *", "2039-12-31T17:00:00Z",
			[]string{"2040-12-31T12:00:00-05:00", "2041-12-31T12:00:00-05:00"}},
	})
}

// TestDebianCron follows cron(8) of Debian as explained, with experiments, in
// https://blog.healthchecks.io/2021/10/how-debian-cron-handles-dst-transitions/.
// Cron runs what fell into a gap "soon after"; here that is its first instant.
func TestDebianCron(t *testing.T) {
	checkVectors(t, []vector{
		{"fixed-time, forward", "CRON_TZ=Europe/Riga 30 3 * * *", "2026-03-28T12:00:00+02:00", []string{"2026-03-29T04:00:00+03:00", "2026-03-30T03:30:00+03:00"}},
		{"fixed-time, back", "CRON_TZ=Europe/Riga 30 3 * * *", "2026-10-24T12:00:00+03:00", []string{"2026-10-25T03:30:00+03:00", "2026-10-26T03:30:00+02:00"}},
		{"wildcard, forward", "CRON_TZ=Europe/Riga */30 * * * *", "2026-03-29T02:30:00+02:00", []string{"2026-03-29T04:00:00+03:00", "2026-03-29T04:30:00+03:00"}},
		{"wildcard, back", "CRON_TZ=Europe/Riga */30 * * * *", "2026-10-25T03:00:00+03:00",
			[]string{"2026-10-25T03:30:00+03:00", "2026-10-25T03:00:00+02:00", "2026-10-25T03:30:00+02:00", "2026-10-25T04:00:00+02:00"}},
		{"@hourly has a wildcard", "CRON_TZ=Europe/Riga @hourly", "2026-10-25T02:30:00+03:00", []string{"2026-10-25T03:00:00+03:00", "2026-10-25T03:00:00+02:00"}},
		{"0-23 has none", "CRON_TZ=Europe/Riga 0 0-23 * * *", "2026-10-25T02:30:00+03:00", []string{"2026-10-25T03:00:00+03:00", "2026-10-25T04:00:00+02:00"}},
	})
}

func TestCrontab5(t *testing.T) {
	checkVectors(t, []vector{
		{"Vixie crontab(5)", "5 0 * * *", "2026-11-23T06:00:00Z", []string{"2026-11-24T00:05:00Z"}},
		{"Vixie crontab(5)", "15 14 1 * *", "2026-11-23T06:00:00Z", []string{"2026-12-01T14:15:00Z"}},
		{"Vixie crontab(5)", "0 22 * * 1-5", "2026-11-27T22:00:00Z", []string{"2026-11-30T22:00:00Z"}},
		{"Vixie crontab(5)", "23 0-23/2 * * *", "2026-11-23T06:23:00Z", []string{"2026-11-23T08:23:00Z"}},
		{"Vixie crontab(5)", "5 4 * * sun", "2026-11-23T06:00:00Z", []string{"2026-11-29T04:05:00Z"}},
		{"Vixie crontab(5), OR of the day fields", "30 4 1,15 * 5", "2026-11-23T06:00:00Z",
			[]string{"2026-11-27T04:30:00Z", "2026-12-01T04:30:00Z", "2026-12-04T04:30:00Z", "2026-12-11T04:30:00Z", "2026-12-15T04:30:00Z"}},
		{"days=and", "0 0 13 * FRI; days=and", "2026-03-01T00:00:00Z", []string{"2026-03-13T00:00:00Z", "2026-11-13T00:00:00Z", "2027-08-13T00:00:00Z"}},
		{"Vixie: a day field that starts with * is no restriction", "0 0 */2 * MON", "2026-11-23T06:00:00Z", []string{"2026-12-07T00:00:00Z"}},
		{"Vixie, where gronx says OR", "0 0 13 * *,5", "2026-11-23T06:00:00Z", []string{"2026-12-13T00:00:00Z"}},
		{"7 is Sunday", "0 0 * * 7", "2026-11-23T06:00:00Z", []string{"2026-11-29T00:00:00Z"}},
		{"5-7", "0 0 * * 5-7", "2026-11-27T00:00:00Z", []string{"2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z", "2026-12-04T00:00:00Z"}},
		{"@weekly", "@weekly", "2026-11-23T06:00:00Z", []string{"2026-11-29T00:00:00Z"}},
		{"@yearly", "@Yearly", "2026-11-23T06:00:00Z", []string{"2027-01-01T00:00:00Z"}},
		{"@annually", "@annually", "2026-11-23T06:00:00Z", []string{"2027-01-01T00:00:00Z"}},
		{"@monthly", "@monthly", "2026-11-23T06:00:00Z", []string{"2026-12-01T00:00:00Z"}},
		{"@midnight", "@midnight", "2026-11-23T06:00:00Z", []string{"2026-11-24T00:00:00Z"}},
	})
}

// TestCombinations is what of a schedule moves, leaves out and joins due times.
func TestCombinations(t *testing.T) {
	checkVectors(t, []vector{
		{"except a date", "0 9 * * *; except=2026-12-25", "2026-12-24T00:00:00Z", []string{"2026-12-24T09:00:00Z", "2026-12-26T09:00:00Z"}},
		{"except a range of dates", "0 9 * * *; except=2026-12-24..2027-01-02", "2026-12-23T12:00:00Z", []string{"2027-01-03T09:00:00Z"}},
		{"except a day of every year", "0 9 25 12 *; except=2027-12-25..2028-12-26", "2026-12-24T00:00:00Z", []string{"2026-12-25T09:00:00Z", "2029-12-25T09:00:00Z"}},
		{"except days round the end of the year", "0 0 * * *; except=12-24..01-02", "2027-12-23T00:00:00Z", []string{"2028-01-03T00:00:00Z"}},
		{"except the leap day", "0 0 * * *; except=02-29", "2028-02-28T00:00:00Z", []string{"2028-03-01T00:00:00Z"}},
		{"except weekdays", "0 0 * * *; except=FRI..SUN,TUE", "2026-11-25T00:00:00Z", []string{"2026-11-26T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-02T00:00:00Z"}},
		{"days are those of the zone", "CRON_TZ=Pacific/Auckland 0 1 * * *; except=2026-12-25", "2026-12-24T01:00:00+13:00", []string{"2026-12-26T01:00:00+13:00"}},
		{"the nominal day counts where a gap moves the time", "CRON_TZ=America/New_York 30 2 * * *; except=2026-03-08", "2026-03-07T12:00:00-05:00", []string{"2026-03-09T02:30:00-04:00"}},
		{"every, except days", "CRON_TZ=Europe/Berlin @every 7h; except=SAT..SUN", "2026-11-27T14:00:00Z", []string{"2026-11-27T19:00:00+01:00", "2026-11-30T03:00:00+01:00"}},
		{"a millisecond of a long exception", "@every 1ms; except=2000-01-01..2200-12-31", "2000-01-01T00:00:00Z", []string{"2201-01-01T00:00:00Z", "2201-01-01T00:00:00.001Z"}},

		{"not in these hours", "*/30 * * * *; not=* 2-3 * * *", "2026-11-25T01:00:00Z", []string{"2026-11-25T01:30:00Z", "2026-11-25T04:00:00Z"}},
		{"not: without seconds it is the whole minute", "*/20 * 1 * * *; not=59 1 * * *", "2026-11-25T01:58:20Z", []string{"2026-11-25T01:58:40Z", "2026-11-26T01:00:00Z"}},
		{"not: with seconds it is those", "*/20 * 1 * * *; not=0,40 59 1 * * *", "2026-11-25T01:58:40Z", []string{"2026-11-25T01:59:20Z", "2026-11-26T01:00:00Z"}},
		{"not: any of several", "0 * * * *; not=* 1 * * * + * 3-22 * * *", "2026-11-25T00:00:00Z", []string{"2026-11-25T02:00:00Z", "2026-11-25T23:00:00Z"}},
		{"not: OR of the day fields", "0 0 * * *; not=* * 13 * FRI", "2026-11-11T00:00:00Z", []string{"2026-11-12T00:00:00Z", "2026-11-14T00:00:00Z"}},
		{"not: & asks for both", "0 0 13 * *; not=& * * 13 * FRI", "2026-10-01T00:00:00Z", []string{"2026-10-13T00:00:00Z", "2026-12-13T00:00:00Z"}},
		{"not: neither pass of a repeated hour", "CRON_TZ=America/New_York 0 * * * *; not=0 1 * * *", "2026-11-01T00:00:00-04:00", []string{"2026-11-01T02:00:00-05:00"}},
		{"not: a time in a gap, before it moves", "CRON_TZ=America/New_York 30 2 * * *; not=30 2 8 3 *", "2026-03-07T12:00:00-05:00", []string{"2026-03-09T02:30:00-04:00"}},
		{"not for eleven months, every other second", "*/2 * * * * *; not=*/2 * * * 1-11 *", "2026-01-01T00:00:00Z", []string{"2026-12-01T00:00:00Z"}},

		{"union", "0 9 * * MON-FRI | 0 12 * * SAT", "2026-11-27T08:00:00Z", []string{"2026-11-27T09:00:00Z", "2026-11-28T12:00:00Z", "2026-11-30T09:00:00Z"}},
		{"union: one instant once", "0 9 * * * | 0 9 * * MON | @at 2026-11-30T09:00:00Z", "2026-11-29T10:00:00Z", []string{"2026-11-30T09:00:00Z", "2026-12-01T09:00:00Z"}},
		{"union of zones", "CRON_TZ=Europe/Berlin 0 9 * * * | CRON_TZ=America/New_York 0 9 * * *", "2026-11-30T00:00:00Z", []string{"2026-11-30T09:00:00+01:00", "2026-11-30T15:00:00+01:00"}},
		{"union: each with its bounds", "0 0 * * *; until=2026-11-02T00:00:00Z | 0 12 * * *; from=2026-11-03T00:00:00Z; until=2026-11-03T12:00:00Z", "2026-11-01T12:00:00Z",
			[]string{"2026-11-02T00:00:00Z", "2026-11-03T12:00:00Z", "none"}},
	})
}

// TestBusinessDays follows the conventions (following, preceding and modified
// following of the 2006 ISDA Definitions, section 4.12; modified preceding and
// nearest of QuantLib), on Sunday 31 May 2026 and other days around the end of a
// month.
func TestBusinessDays(t *testing.T) {
	checkVectors(t, []vector{
		{"following", "0 9 31 5 *; roll=following", "2026-01-01T00:00:00Z", []string{"2026-06-01T09:00:00Z"}},
		{"preceding", "0 9 31 5 *; roll=preceding", "2026-01-01T00:00:00Z", []string{"2026-05-29T09:00:00Z"}},
		{"modified following", "0 9 31 5 *; roll=modified-following", "2026-01-01T00:00:00Z", []string{"2026-05-29T09:00:00Z"}},
		{"modified following, inside the month", "0 9 30 5 *; roll=modified-following; holidays=2026-05-29", "2026-01-01T00:00:00Z", []string{"2026-05-28T09:00:00Z"}},
		{"modified preceding", "0 9 1 8 *; roll=modified-preceding", "2026-01-01T00:00:00Z", []string{"2026-08-03T09:00:00Z"}},
		{"nearest: Saturday", "0 9 30 5 *; roll=nearest", "2026-01-01T00:00:00Z", []string{"2026-05-29T09:00:00Z"}},
		{"nearest: Sunday", "0 9 31 5 *; roll=nearest", "2026-01-01T00:00:00Z", []string{"2026-06-01T09:00:00Z"}},
		{"nearest: both as near", "0 9 26 11 *; roll=nearest; holidays=2026-11-26", "2026-01-01T00:00:00Z", []string{"2026-11-27T09:00:00Z"}},
		{"a day that is open stays", "0 9 25 11 *; roll=following", "2026-01-01T00:00:00Z", []string{"2026-11-25T09:00:00Z"}},
		{"holidays next to a weekend", "0 9 25 12 *; roll=following; holidays=12-25..12-26", "2026-01-01T00:00:00Z", []string{"2026-12-28T09:00:00Z"}},
		{"another weekend", "0 9 27 11 *; roll=following; holidays=FRI..SAT", "2026-01-01T00:00:00Z", []string{"2026-11-29T09:00:00Z"}},
		{"what meets on a day is one", "0 9 * * *; roll=following", "2026-11-27T00:00:00Z", []string{"2026-11-27T09:00:00Z", "2026-11-30T09:00:00Z", "2026-12-01T09:00:00Z"}},
		{"left out after the move", "0 9 28 11 *; roll=following; except=2026-11-30", "2026-01-01T00:00:00Z", []string{"2027-11-29T09:00:00Z"}},
		{"over the year", "0 9 31 12 *; roll=following; holidays=12-31..01-02", "2026-12-31T12:00:00Z", []string{"2027-01-04T09:00:00Z"}},
		{"pay day: the 25th or the business day before", "CRON_TZ=Europe/London 0 10 25 * *; roll=preceding; holidays=12-25..12-26", "2026-10-01T00:00:00Z",
			[]string{"2026-10-23T10:00:00+01:00", "2026-11-25T10:00:00Z", "2026-12-24T10:00:00Z", "2027-01-25T10:00:00Z"}},
	})
}

// TestRFC5545 takes those examples of RFC 5545, section 3.8.5.3, that a schedule
// can say, in its own words. Where a rule counts from DTSTART by weeks or by more
// than one year they say the same for this DTSTART only, and are left out.
func TestRFC5545(t *testing.T) {
	const zone = "CRON_TZ=America/New_York "
	checkVectors(t, []vector{
		{"DAILY;UNTIL=19971224T000000Z", zone + "0 9 * * *; from=1997-09-02T13:00:00Z; until=1997-12-24T00:00:00Z", "1997-10-25T12:00:00Z",
			[]string{"1997-10-25T09:00:00-04:00", "1997-10-26T09:00:00-05:00"}},
		{"DAILY;BYMONTH=1", zone + "0 9 * 1 *; from=1998-01-01T14:00:00Z; until=2000-01-31T14:00:00Z", "1998-01-31T00:00:00Z",
			[]string{"1998-01-31T09:00:00-05:00", "1999-01-01T09:00:00-05:00"}},
		{"WEEKLY;BYDAY=TU,TH", zone + "0 9 * * TUE,THU", "1997-09-02T12:00:00Z", []string{"1997-09-02T09:00:00-04:00", "1997-09-04T09:00:00-04:00", "1997-09-09T09:00:00-04:00"}},
		{"MONTHLY;BYDAY=1FR", zone + "0 9 * * FRI#1", "1997-09-05T12:00:00Z",
			[]string{"1997-09-05T09:00:00-04:00", "1997-10-03T09:00:00-04:00", "1997-11-07T09:00:00-05:00", "1997-12-05T09:00:00-05:00"}},
		{"MONTHLY;INTERVAL=2;BYDAY=1SU,-1SU", zone + "0 9 * 9,11,1,3,5 SUN#1,SUNL", "1997-09-07T12:00:00Z",
			[]string{"1997-09-07T09:00:00-04:00", "1997-09-28T09:00:00-04:00", "1997-11-02T09:00:00-05:00", "1997-11-30T09:00:00-05:00", "1998-01-04T09:00:00-05:00", "1998-01-25T09:00:00-05:00", "1998-03-01T09:00:00-05:00"}},
		{"MONTHLY;BYMONTHDAY=-3", zone + "0 9 L-2 * *", "1997-09-28T12:00:00Z",
			[]string{"1997-09-28T09:00:00-04:00", "1997-10-29T09:00:00-05:00", "1997-11-28T09:00:00-05:00", "1997-12-29T09:00:00-05:00", "1998-01-29T09:00:00-05:00", "1998-02-26T09:00:00-05:00"}},
		{"MONTHLY;BYMONTHDAY=2,15", zone + "0 9 2,15 * *", "1997-09-02T12:00:00Z", []string{"1997-09-02T09:00:00-04:00", "1997-09-15T09:00:00-04:00", "1997-10-02T09:00:00-04:00"}},
		{"MONTHLY;BYMONTHDAY=1,-1", zone + "0 9 1,L * *", "1997-09-30T12:00:00Z",
			[]string{"1997-09-30T09:00:00-04:00", "1997-10-01T09:00:00-04:00", "1997-10-31T09:00:00-05:00", "1997-11-01T09:00:00-05:00", "1997-11-30T09:00:00-05:00"}},
		{"YEARLY;BYMONTH=6,7", zone + "0 9 10 6,7 *", "1997-06-10T12:00:00Z", []string{"1997-06-10T09:00:00-04:00", "1997-07-10T09:00:00-04:00", "1998-06-10T09:00:00-04:00"}},
		{"YEARLY;BYMONTH=3;BYDAY=TH", zone + "0 9 * 3 THU", "1997-03-27T12:00:00Z", []string{"1997-03-27T09:00:00-05:00", "1998-03-05T09:00:00-05:00"}},
		{"MONTHLY;BYDAY=FR;BYMONTHDAY=13, EXDATE", zone + "0 9 13 * FRI; days=and; except=1997-09-02", "1997-09-02T12:00:00Z",
			[]string{"1998-02-13T09:00:00-05:00", "1998-03-13T09:00:00-05:00", "1998-11-13T09:00:00-05:00", "1999-08-13T09:00:00-04:00", "2000-10-13T09:00:00-04:00"}},
		{"MONTHLY;BYDAY=SA;BYMONTHDAY=7,8,9,10,11,12,13", zone + "0 9 7-13 * SAT; days=and", "1997-09-13T12:00:00Z",
			[]string{"1997-09-13T09:00:00-04:00", "1997-10-11T09:00:00-04:00", "1997-11-08T09:00:00-05:00", "1997-12-13T09:00:00-05:00", "1998-01-10T09:00:00-05:00"}},
		{"election day, YEARLY;INTERVAL=4;BYMONTH=11;BYDAY=TU;BYMONTHDAY=2..8", zone + "0 0 9 2-8 11 TUE 1996/4; days=and", "1996-11-05T12:00:00Z",
			[]string{"1996-11-05T09:00:00-05:00", "2000-11-07T09:00:00-05:00", "2004-11-02T09:00:00-05:00"}},
		{"DAILY;BYHOUR=9..16;BYMINUTE=0,20,40", zone + "0,20,40 9-16 * * *", "1997-09-02T20:20:00Z",
			[]string{"1997-09-02T16:40:00-04:00", "1997-09-03T09:00:00-04:00", "1997-09-03T09:20:00-04:00"}},
		{"invalid dates are skipped: MONTHLY;BYMONTHDAY=15,30", zone + "0 9 15,30 * *", "2007-01-15T12:00:00Z",
			[]string{"2007-01-15T09:00:00-05:00", "2007-01-30T09:00:00-05:00", "2007-02-15T09:00:00-05:00", "2007-03-15T09:00:00-04:00", "2007-03-30T09:00:00-04:00"}},
		{"section 3.3.5 moves a time in a gap by its length, to 03:30; cron(8) runs it right after the gap", zone + "30 2 * * *", "2007-03-11T00:00:00-05:00",
			[]string{"2007-03-11T03:00:00-04:00"}},
		{"section 3.3.5: the first of a time that comes twice", zone + "30 1 * * *", "2007-11-04T00:00:00-04:00", []string{"2007-11-04T01:30:00-04:00", "2007-11-05T01:30:00-05:00"}},
	})
}

// TestOtherCrons takes examples from the documentation of schedulers with more
// syntax, written in ours where theirs differs.
func TestOtherCrons(t *testing.T) {
	checkVectors(t, []vector{
		{"Quartz tutorial: 0 15 10 L * ?", "0 15 10 L * ?", "2026-02-01T00:00:00Z", []string{"2026-02-28T10:15:00Z", "2026-03-31T10:15:00Z"}},
		{"Quartz tutorial: 0 15 10 ? * 6L (6 = Friday)", "0 15 10 ? * FRIL", "2026-11-01T00:00:00Z", []string{"2026-11-27T10:15:00Z", "2026-12-25T10:15:00Z"}},
		{"Quartz tutorial: 0 15 10 ? * 6#3", "0 15 10 ? * FRI#3", "2026-11-01T00:00:00Z", []string{"2026-11-20T10:15:00Z", "2026-12-18T10:15:00Z"}},
		{"Quartz tutorial: 0 15 10 * * ? 2005", "0 15 10 * * ? 2005", "2005-12-31T00:00:00Z", []string{"2005-12-31T10:15:00Z", "none"}},
		{"Quartz tutorial: 0 0 12 1/5 * ?", "0 0 12 1/5 * ?", "2026-11-27T00:00:00Z", []string{"2026-12-01T12:00:00Z"}},
		{"Quartz: 15W, the 15th a Sunday", "0 0 15W * *", "2026-11-01T00:00:00Z", []string{"2026-11-16T00:00:00Z", "2026-12-15T00:00:00Z"}},
		{"Quartz: 1W never leaves the month", "0 0 1W * *", "2026-07-15T00:00:00Z", []string{"2026-08-03T00:00:00Z"}},
		{"Quartz: LW, the last weekday of the month", "0 15 10 LW * ?", "2026-05-01T00:00:00Z", []string{"2026-05-29T10:15:00Z", "2026-06-30T10:15:00Z", "2026-07-31T10:15:00Z", "2026-08-31T10:15:00Z"}},
		{"Quartz: L-3, the third-to-last day of the month", "0 0 L-3 * *", "2026-02-01T00:00:00Z", []string{"2026-02-25T00:00:00Z", "2026-03-28T00:00:00Z"}},
		{"Quartz: L-3W, the weekday nearest to it", "0 0 L-3W * *", "2026-02-26T00:00:00Z", []string{"2026-03-27T00:00:00Z", "2026-04-27T00:00:00Z"}},
		{"Quartz: an overflowing range, 22-2 of hours", "0 0 22-2 * * ?", "2026-11-25T21:00:00Z",
			[]string{"2026-11-25T22:00:00Z", "2026-11-25T23:00:00Z", "2026-11-26T00:00:00Z", "2026-11-26T01:00:00Z", "2026-11-26T02:00:00Z", "2026-11-26T22:00:00Z"}},
		{"Quartz: an overflowing range, NOV-FEB", "0 0 0 1 NOV-FEB ?", "2026-11-25T21:00:00Z", []string{"2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z", "2027-11-01T00:00:00Z"}},
		{"systemd.time(7): Fri..Mon", "0 0 * * FRI-MON", "2026-11-26T00:00:00Z", []string{"2026-11-27T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z", "2026-11-30T00:00:00Z", "2026-12-04T00:00:00Z"}},
		{"steps go on round the end", "50-10/7 0 * * *", "2026-11-26T00:00:00Z", []string{"2026-11-26T00:04:00Z", "2026-11-26T00:50:00Z", "2026-11-26T00:57:00Z", "2026-11-27T00:04:00Z"}},
		{"the turn of the month", "0 0 30-2 * *", "2026-01-31T00:00:00Z", []string{"2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "2026-03-01T00:00:00Z"}},
		{"Jenkins: H/15 counts as */15 in a gap", "CRON_TZ=America/New_York H/15 2 * * *; seed=greet", "2026-03-07T12:00:00-05:00", []string{"2026-03-09T02:07:00-04:00"}},
		{"Jenkins: H is a fixed time in a gap", "CRON_TZ=America/New_York H 2 * * *; seed=greet", "2026-03-07T12:00:00-05:00", []string{"2026-03-08T03:00:00-04:00", "2026-03-09T02:28:00-04:00"}},
		{"systemd.time(7): *-02~01", "0 0 L 2 *", "2027-12-01T00:00:00Z", []string{"2028-02-29T00:00:00Z", "2029-02-28T00:00:00Z"}},
		{"systemd.time(7): Mon *-05~07/1", "0 0 ? 5 MONL", "2026-01-01T00:00:00Z", []string{"2026-05-25T00:00:00Z", "2027-05-31T00:00:00Z"}},
		{"systemd.time(7): 2003-02..04-05", "0 0 5 2-4 * 2003", "2003-01-01T00:00:00Z",
			[]string{"2003-02-05T00:00:00Z", "2003-03-05T00:00:00Z", "2003-04-05T00:00:00Z", "none"}},
		{"systemd.time(7): 03-05 08:05:40", "40 5 8 5 3 *", "2026-11-23T06:00:00Z", []string{"2027-03-05T08:05:40Z"}},
		{"robfig/cron: leap day", "0 0 0 29 Feb ?", "2012-07-09T23:35:00Z", []string{"2016-02-29T00:00:00Z"}},
		{"robfig/cron: seconds", "15/35 20-35/15 * * * *", "2012-07-09T23:35:51Z", []string{"2012-07-10T00:20:15Z", "2012-07-10T00:20:50Z"}},
		{"no leap year in 2100", "0 0 29 2 *", "2096-03-01T00:00:00Z", []string{"2104-02-29T00:00:00Z"}},
		{"gronx: year of six fields", "0 12 25 12 * 2027", "2026-11-23T06:00:00Z", []string{"2027-12-25T12:00:00Z", "none"}},
		{"gronx: six fields without a year", "30 0 12 25 12 *", "2026-11-23T06:00:00Z", []string{"2026-12-25T12:00:30Z"}},
		{"gronx returns the same instant for ever here", "0 0 0 1 1 * 2026", "2026-01-01T00:00:00Z", []string{"none"}},
		{"the last years", "0 0 1 1 * 2261-2262", "2260-06-01T00:00:00Z", []string{"2261-01-01T00:00:00Z", "2262-01-01T00:00:00Z", "none"}},
	})
}

func TestOtherKinds(t *testing.T) {
	checkVectors(t, []vector{
		{"every, from 1970", "@every 90s", "2026-11-23T06:00:00.5Z", []string{"2026-11-23T06:01:30Z", "2026-11-23T06:03:00Z"}},
		{"every, before the anchor", "@every 1h; anchor=2026-11-23T06:00:00.25Z", "2026-11-23T04:10:00Z", []string{"2026-11-23T05:00:00.25Z", "2026-11-23T06:00:00.25Z"}},
		{"every, knows no zone", "CRON_TZ=America/New_York @every 1h", "2026-11-01T04:30:00Z", []string{"2026-11-01T01:00:00-04:00", "2026-11-01T01:00:00-05:00"}},
		{"every, bounds inclusive", "@every 1h; from=2026-11-23T07:00:00Z; until=2026-11-23T08:00:00Z", "2020-01-01T00:00:00Z",
			[]string{"2026-11-23T07:00:00Z", "2026-11-23T08:00:00Z", "none"}},
		{"every, at the horizon", "@every 2540400h", "2259-01-01T00:00:00Z", []string{"2259-10-23T00:00:00Z", "none"}},
		{"cron, bounds inclusive", "0 * * * *; from=2026-11-23T07:00:00Z; until=2026-11-23T08:00:00Z", "0001-01-01T00:00:00Z",
			[]string{"2026-11-23T07:00:00Z", "2026-11-23T08:00:00Z", "none"}},
		{"cron, from 1970", "* * * * *", "0001-01-01T00:00:00Z", []string{"1970-01-01T00:00:00Z", "1970-01-01T00:01:00Z"}},
		{"cron, to the horizon", "0 47 23 * * *", "2262-04-10T23:47:00Z", []string{"2262-04-11T23:47:00Z", "none"}},
		{"cron, beyond it", "* * * * *", "2500-01-01T00:00:00Z", []string{"none"}},
		{"after", "@after 5m", "2026-11-23T06:00:00.125Z", []string{"2026-11-23T06:05:00.125Z", "2026-11-23T06:10:00.125Z"}},
		{"after, waits for from", "@after 5m; from=2026-11-23T07:00:00Z; until=2026-11-23T07:07:00Z", "2026-11-23T06:00:00Z",
			[]string{"2026-11-23T07:00:00Z", "2026-11-23T07:05:00Z", "none"}},
		{"after, at the horizon", "@after 24h", "2262-04-11T00:00:00Z", []string{"none"}},
		{"at", "@at 2026-11-23T07:00:00.000000001+01:00", "2026-11-23T06:00:00Z", []string{"2026-11-23T06:00:00.000000001Z", "none"}},
	})
}
