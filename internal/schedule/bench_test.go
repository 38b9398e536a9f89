package schedule

import (
	"testing"
	"time"

	"github.com/adhocore/gronx"
)

type benchmark struct {
	name string
	spec Spec
}

func benchmarks() []benchmark {
	const zone = "America/New_York"
	return []benchmark{
		{"typical", Spec{Expr: "*/5 * * * *"}},
		{"typical-zone", Spec{Expr: "*/5 * * * *", Zone: zone}},
		{"fixed-zone", Spec{Expr: "30 2 * * *", Zone: zone}},
		{"sparse", Spec{Expr: "0 0 13 * FRI"}},
		{"sparse-zone", Spec{Expr: "0 0 13 * FRI", Zone: zone}},
		{"leap-day", Spec{Expr: "0 0 29 2 *"}},
		{"leap-day-zone", Spec{Expr: "0 0 29 2 *", Zone: zone}},
		{"workday", Spec{Expr: "0 9 1W * *"}},
		{"business-days", Spec{Expr: "0 9 25 * *", Roll: RollPreceding, Zone: zone}},
		{"holidays", Spec{Expr: "0 9 * * *", Roll: RollPreceding, Holidays: "12-25..12-26,01-01,2026-04-03,2026-04-06", Except: "SAT,SUN", Not: "* 3 * * *", Zone: zone}},
	}
}

// BenchmarkNext steps through due instants, and starts again after ten years.
func BenchmarkNext(b *testing.B) {
	start := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for _, bench := range benchmarks() {
		name, spec := bench.name, bench.spec
		s, err := Compile(spec)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/chronos", func(b *testing.B) {
			b.ReportAllocs()
			for at := start; b.Loop(); {
				if at, _ = s.Next(at); at.Year() > 2036 {
					at = start
				}
			}
		})
		if spec.Roll != RollNone {
			continue // gronx has none
		}
		zone, _ := time.LoadLocation(spec.Zone)
		b.Run(name+"/gronx", func(b *testing.B) {
			b.ReportAllocs()
			for at := start.In(zone); b.Loop(); {
				if at, err = gronx.NextTickAfter(spec.Expr, at, false); err != nil || at.Year() > 2036 {
					at = start.In(zone)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	var c Compiler
	for _, bench := range benchmarks() {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Compile(bench.spec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
