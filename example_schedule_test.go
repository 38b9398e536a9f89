package chronos_test

import (
	"fmt"
	"time"

	"github.com/chronos-go/chronos"
)

// In New York the clock is put forward from 02:00 to 03:00 on 8 March 2026. A
// job at 02:30 runs that day, too: once, at the first instant after the gap. On
// 1 November 01:30 comes twice, and a fixed-time job runs at the first.
func ExampleCron() {
	zone, err := time.LoadLocation("America/New_York")
	check(err)
	show := func(s chronos.Schedule, t time.Time) {
		for range 3 {
			t, _ = s.Next(t)
			fmt.Println(t.In(zone).Format("Mon 2 Jan 15:04 MST"))
		}
	}
	show(chronos.Cron("30 2 * * *").In(zone), time.Date(2026, 3, 7, 0, 0, 0, 0, zone))
	show(chronos.Cron("30 1 * * *").In(zone), time.Date(2026, 10, 31, 0, 0, 0, 0, zone))
	// Output:
	// Sat 7 Mar 02:30 EST
	// Sun 8 Mar 03:00 EDT
	// Mon 9 Mar 02:30 EDT
	// Sat 31 Oct 01:30 EDT
	// Sun 1 Nov 01:30 EDT
	// Mon 2 Nov 01:30 EST
}

// Every counts elapsed time from an anchor, so that it has the same instants
// after every restart.
func ExampleEvery() {
	s := chronos.Every(90 * time.Minute).Anchor(time.Date(2026, 1, 1, 6, 0, 0, 0, time.UTC))
	t := time.Date(2026, 1, 1, 10, 0, 0, 0, time.UTC)
	for range 3 {
		t, _ = s.Next(t)
		fmt.Println(t.Format(time.TimeOnly))
	}
	// Output:
	// 10:30:00
	// 12:00:00
	// 13:30:00
}

func ExampleAt() {
	s := chronos.At(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC))
	t, ok := s.Next(time.Date(2029, 6, 1, 0, 0, 0, 0, time.UTC))
	fmt.Println(t, ok)
	_, ok = s.Next(t)
	fmt.Println(ok)
	// Output:
	// 2030-01-01 00:00:00 +0000 UTC true
	// false
}

// A schedule has a text form that can be stored and read back.
func ExampleParseSchedule() {
	zone, err := time.LoadLocation("Europe/Berlin")
	check(err)
	text := chronos.Cron("0 9 * * MON-FRI").In(zone).Jitter(time.Minute).String()
	fmt.Println(text)
	s, err := chronos.ParseSchedule(text)
	fmt.Println(s.String() == text, err)

	_, err = chronos.ParseSchedule("0 25 * * *")
	fmt.Println(err)
	// Output:
	// CRON_TZ=Europe/Berlin 0 9 * * MON-FRI; jitter=1m0s
	// true <nil>
	// chronos: invalid Job.Schedule: hour: 25 is not between 0 and 23 (at byte 2 of "0 25 * * *"); the order of the fields is (second) minute hour day-of-month month day-of-week (year)
}

// A preview needs no scheduler, and tells what is wrong.
func ExampleSchedule_Next() {
	s := chronos.Cron("0 12 L * *") // noon on the last day of the month
	t := time.Date(2027, 12, 31, 12, 0, 0, 0, time.UTC)
	for range 3 {
		t, _ = s.Next(t)
		fmt.Println(t.Format(time.DateOnly))
	}
	fmt.Println(chronos.Cron("0 0 30 2 *").Err())
	// Output:
	// 2028-01-31
	// 2028-02-29
	// 2028-03-31
	// chronos: invalid Job.Schedule: expression: is never due before 2262-04-12 (in "0 0 30 2 *"); check the day-of-month against the months and years
}

// Market hours: every ten minutes on weekdays, with a break, not on holidays.
func ExampleUnion() {
	zone, err := time.LoadLocation("Europe/London")
	check(err)
	s := chronos.Union(
		chronos.Cron("*/10 8-16 * * MON-FRI").Except(chronos.Cron("0-10 12 * * *")),
		chronos.Cron("30 17 * * MON-FRI"),
	).In(zone).ExceptDays("12-25..12-26", "2026-12-28")
	for t := range s.Between(time.Date(2026, 12, 24, 11, 45, 0, 0, zone), time.Date(2026, 12, 24, 12, 30, 0, 0, zone)) {
		fmt.Println(t.In(zone).Format("Mon 2 Jan 15:04"))
	}
	next, _ := s.Next(time.Date(2026, 12, 24, 17, 30, 0, 0, zone))
	fmt.Println(next.In(zone).Format("Mon 2 Jan 15:04"))
	// Output:
	// Thu 24 Dec 11:50
	// Thu 24 Dec 12:20
	// Thu 24 Dec 12:30
	// Tue 29 Dec 08:00
}

// Pay day is the 25th, or the business day before.
func ExampleSchedule_OnBusinessDays() {
	s := chronos.Cron("0 10 25 * *").OnBusinessDays(chronos.RollPreceding, "12-25..12-26")
	for _, t := range s.NextN(time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), 3) {
		fmt.Println(t.Format("Mon 2 Jan"))
	}
	// Output:
	// Fri 23 Oct
	// Wed 25 Nov
	// Thu 24 Dec
}

func ExampleSchedule_ExceptDays() {
	s := chronos.Cron("0 9 * * *").ExceptDays("SAT..SUN", "12-24..01-02")
	for _, t := range s.NextN(time.Date(2026, 12, 22, 12, 0, 0, 0, time.UTC), 3) {
		fmt.Println(t.Format("Mon 2 Jan 2006"))
	}
	// Output:
	// Wed 23 Dec 2026
	// Mon 4 Jan 2027
	// Tue 5 Jan 2027
}

// Every ten minutes, but not from two to four o'clock.
func ExampleSchedule_Except() {
	s := chronos.Cron("*/10 * * * *").Except(chronos.Cron("* 2-3 * * *"))
	for _, t := range s.NextN(time.Date(2026, 11, 25, 1, 40, 0, 0, time.UTC), 2) {
		fmt.Println(t.Format(time.TimeOnly))
	}
	// Output:
	// 01:50:00
	// 04:00:00
}

// H spreads jobs that need no exact time: each gets one of its own by the hash
// of its ID.
func ExampleSchedule_For() {
	nightly := chronos.Cron("H H(0-5) * * *")
	for _, id := range []string{"backup", "report", "cleanup"} {
		fmt.Println(id, nightly.For(id).Describe())
	}
	// Output:
	// backup At 05:48, UTC
	// report At 03:23, UTC
	// cleanup At 05:42, UTC
}

func ExampleSchedule_Describe() {
	zone, err := time.LoadLocation("Europe/Berlin")
	check(err)
	fmt.Println(chronos.Cron("0 9 * * MON-FRI").In(zone).Describe())
	fmt.Println(chronos.Cron("*/15 22-2 * * *").ExceptDays("12-25").Describe())
	fmt.Println(chronos.Every(90 * time.Second).Describe())
	// Output:
	// At 09:00, Monday to Friday, Europe/Berlin
	// Every 15 minutes from 22:00 to 02:59, except on 25 December, UTC
	// Every 1 minute 30 seconds
}
