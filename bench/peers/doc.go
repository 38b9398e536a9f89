// Command peers measures Chronos beside other schedulers, side by side in one
// run, and prints a table of figures and ratios. docs/performance.md has such a
// table, and what limits each of its lines.
//
//	go run ./peers -dir /var/tmp/peers -count 3
//	go run ./peers -case 'late|rate' -engine 'chronos|river' -postgres URL
//	go run ./peers -short            # does every case still work?
//
// robfig/cron and gocron are always measured, River with -postgres, asynq with
// -redis. Chronos is used as any host uses it: by its public API, on a directory,
// with all that it does to keep what it acknowledges.
//
// Every measurement is a process of its own (the program starts itself), so that
// no heap and no leftover of one weighs on the next. Engines take turns within a
// case, -count times, so that noise of the machine hits all alike; what is printed
// is the median, and the range. Absolute figures are the machine's: compare those
// of one run.
//
// Each measurement counts what really ran, and compares it with what should have
// and with what the engine recorded. One whose counts differ is refused, and the
// program fails.
package main
