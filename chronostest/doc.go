// Package chronostest lets a host test its jobs in virtual time. A test runs the
// real schedulers, with the handlers and jobs that the program declares, inside a
// bubble of testing/synctest: a night of schedules takes milliseconds, and always
// comes out the same.
//
//	func TestNightly(t *testing.T) {
//		synctest.Test(t, func(t *testing.T) {
//			k := chronostest.New(t, chronostest.Options{Declare: jobs.Declare})
//			due := k.AdvanceToDue("nightly")
//			k.AdvanceToEnd("nightly")
//			k.AssertRan("nightly", due)
//		})
//	}
//
// A [Kit] is a scheduler in memory, or with Options.Nodes a cluster over pipes.
// Time stands still while anything is at work, and goes on when the test sleeps or
// waits: [Kit.Advance], [Kit.AdvanceTo], [Kit.AdvanceToDue] and [Kit.AdvanceToEnd].
// [Kit.AssertRan], [Kit.AssertStatus] and [Kit.AssertNotDue] look at one instant,
// [Kit.AssertLedger] at all that happened; what they say when they fail is why a job
// did not run. [Kit.Kill], [Kit.Stop], [Kit.CutOff] and [Kit.Restart] are what
// happens to nodes. [RunNow] runs one handler, once, also without virtual time.
//
// To see when jobs would run, without running them, there is [chronos.Simulate].
//
// # Inside a bubble
//
// A goroutine that waits for something outside of the bubble holds the clock up: a
// socket, a file lock, a process. Handlers that use real ones are for [RunNow]; in
// a bubble give them a fake. Goroutines that a handler starts have to end, since
// the bubble ends with the last one. The testing.T to use is the one that
// synctest.Test gives to its function.
//
// A year of a single scheduler takes about ten seconds of a core, and an hour of
// three nodes, which beat several times a second, somewhat longer. Nothing is synced to disk, and what is done every minute
// in production (retention, a look at the time-zone data) is done every hour or day.
// A test that needs a certain day begins there, with Options.Start.
//
// docs/testing-your-jobs.md has more of it.
package chronostest
