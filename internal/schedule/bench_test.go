package schedule

import (
	"testing"
	"time"

	"github.com/adhocore/gronx"
)

func benchmarks() map[string]Spec {
	return map[string]Spec{
		"typical":       {Expr: "*/5 * * * *"},
		"typical-zone":  {Expr: "*/5 * * * *", Zone: "America/New_York"},
		"fixed-zone":    {Expr: "30 2 * * *", Zone: "America/New_York"},
		"sparse":        {Expr: "0 0 13 * FRI"},
		"sparse-zone":   {Expr: "0 0 13 * FRI", Zone: "America/New_York"},
		"leap-day":      {Expr: "0 0 29 2 *"},
		"leap-day-zone": {Expr: "0 0 29 2 *", Zone: "America/New_York"},
	}
}

// BenchmarkNext steps through due instants, and starts again after ten years.
func BenchmarkNext(b *testing.B) {
	start := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for name, spec := range benchmarks() {
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
	for name, spec := range benchmarks() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.Compile(spec); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
