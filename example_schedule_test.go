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
	// chronos: invalid Job.Schedule: hour: 25 is not between 0 and 23 (at byte 2 of "0 25 * * *")
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
	// chronos: invalid Job.Schedule: expression: is never due before 2262-04-12; check the day-of-month against the months and years
}
