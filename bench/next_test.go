package bench

import (
	"testing"
	"time"

	"github.com/adhocore/gronx"
	"github.com/chronos-go/chronos"
	"github.com/robfig/cron/v3"
)

// BenchmarkNext steps through the due instants of an expression and starts again
// after ten years: Chronos' Schedule.Next, robfig/cron's Schedule.Next and gronx'
// NextTickAfter. robfig/cron has no seconds here, and none of its answers in a
// gap or a repeat are compared.
func BenchmarkNext(b *testing.B) {
	for _, c := range []struct{ name, expr string }{
		{"every-5-minutes", "*/5 * * * *"},
		{"office-hours", "*/15 9-17 * * MON-FRI"},
		{"daily", "30 2 * * *"},
		{"monthly", "0 12 1,15 * *"},
		{"friday-or-13th", "0 0 13 * FRI"},
		{"new-year", "0 0 1 1 *"},
		{"leap-day", "0 0 29 2 *"},
	} {
		for _, zone := range []string{"UTC", "America/New_York"} {
			loc, err := time.LoadLocation(zone)
			if err != nil {
				b.Fatal(err)
			}
			start := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
			end := start.AddDate(10, 0, 0)
			name := c.name + "/" + zone + "/"

			ours := chronos.Cron(c.expr).In(loc)
			if err := ours.Err(); err != nil {
				b.Fatal(err)
			}
			b.Run(name+"chronos", func(b *testing.B) {
				b.ReportAllocs()
				for at := start; b.Loop(); {
					next, ok := ours.Next(at)
					if at = next; !ok || at.After(end) {
						at = start
					}
				}
			})

			robfig, err := cron.ParseStandard("CRON_TZ=" + zone + " " + c.expr)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(name+"robfig", func(b *testing.B) {
				b.ReportAllocs()
				for at := start.In(loc); b.Loop(); {
					if at = robfig.Next(at); at.IsZero() || at.After(end) {
						at = start.In(loc)
					}
				}
			})

			b.Run(name+"gronx", func(b *testing.B) {
				b.ReportAllocs()
				for at := start.In(loc); b.Loop(); {
					next, err := gronx.NextTickAfter(c.expr, at, false)
					if at = next; err != nil || at.After(end) {
						at = start.In(loc)
					}
				}
			})
		}
	}
}
