package moving

import (
	"context"
	"sync/atomic"
)

// The work of a program that moves. It is the same before and after.

var reports, polls atomic.Int64

func report(ctx context.Context) error {
	reports.Add(1)
	return ctx.Err()
}

func poll(ctx context.Context) error {
	polls.Add(1)
	return ctx.Err()
}

// reportArgs are what a report is told.
type reportArgs struct {
	Format string `json:"format"`
}

func reportAs(ctx context.Context, _ reportArgs) error { return report(ctx) }
