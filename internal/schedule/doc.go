// Package schedule answers one question: when is a job due next?
//
// A [Spec] says it in words of the user (a cron expression, a period, a delay
// or one instant, with a zone, bounds and policies), [Compile] checks every
// word and turns them into a [Schedule], and [Schedule.Next] computes. There is
// no clock in here: the same Spec and the same instant give the same answer on
// every machine that has the same time-zone data.
//
// # Instants
//
// Every instant lies between 1970-01-01T00:00:00Z and
// 2262-04-11T23:47:16.854775807Z, the range of int64 nanoseconds. That is the
// search horizon too: "never" means that no instant up to there is due. A time
// before 1970 given to Next counts as the start of 1970. Cron instants are whole
// seconds; the others keep their nanoseconds. Results are in UTC.
//
// # Kinds
//
// KindCron is a cron expression in a zone. KindEvery is the lattice Anchor +
// n*Period for every integer n, also before the anchor (From gives a start); it
// counts elapsed time and knows no daylight saving. KindAfter is a delay counted
// from the instant given to Next, which is the end of the last execution; one
// that would end before From is due at From. KindAt is a single instant.
//
// # Cron expressions
//
// At most [MaxExpr] bytes, fields separated by blanks:
//
//	second        0-59             only with 6 or 7 fields; 0 without
//	minute        0-59
//	hour          0-23
//	day-of-month  1-31             L (last day), 15W (weekday nearest to the 15th)
//	month         1-12, JAN-DEC
//	day-of-week   0-7, SUN-SAT     0 and 7 are Sunday; 5L (last Friday), FRI#2 (second Friday)
//	year          1970-2262        only with 6 or 7 fields; any without
//
// Five fields start with the minute, seven with the second. Six are read as
// gronx reads them: if the last one has four digits in a row ("2026",
// "2026-2030") it is the year and the first one the minute; otherwise the first
// one is the second and the last one the day of the week ("0 0 1 1 * */2" too).
//
// A field is a list of parts separated by commas: a value, a range a-b, either
// with /step, or * and */step. A value with a step but without an end (5/15) runs
// to the end of the field. Names are case-insensitive and stand wherever their
// numbers may. ? alone is the same as *. A step may be at most the number of values of the
// field: */90 in minutes would fire once an hour, which nobody means. The macros
// are @hourly @daily @midnight @weekly @monthly @yearly @annually.
//
// Wrap-around ranges (22-2), LW, L-3 and H are refused with a hint. gronx
// interprets the parts, once, in Compile; its search and its IsValid are not
// used (they are wrong in zones, and depend on the moment of the call).
//
// When both day fields are restricted a day matches if either does, as in Vixie
// cron; a field that starts with * or ? is not restricted, and then both must match
// (so "*/2" with a weekday is an AND). AndDays asks for AND always.
//
// # Daylight saving
//
// The rule is Debian's cron(8). A fixed-time job is one whose minute field and
// hour field both start with neither * nor ?; the seconds field plays no part.
//
//   - Gap (the clock is put forward): a fixed-time job with due times inside the
//     gap runs once, at the first instant after the gap, however many of its
//     times fall in. GapSkip drops them. Other jobs get nothing extra.
//   - Repeat (the clock is put back): a fixed-time job runs in the first pass
//     only; other jobs run in both. Repeat asks for first, both or last.
//   - A shift of more than three hours (Apia skipping 30 December 2011) is a
//     correction of the clock: both policies stand aside, times that do not exist
//     do not run, times that exist twice run twice.
//
// # Text form
//
// One line, which Parse reads and String writes:
//
//	CRON_TZ=Europe/Berlin */5 8-17 * * MON-FRI; jitter=30s
//	@every 1m30s; anchor=2026-11-23T06:00:00Z
//	@after 5m
//	@at 2026-11-23T06:00:00Z
//
// An optional CRON_TZ= (or TZ=) comes first, then the schedule, then options
// separated by semicolons, each at most once: anchor=, from=, until= (RFC 3339),
// jitter= (a Go duration), gap=shift|skip, repeat=auto|first|both|last,
// days=or|and. An option nobody knows is an error, so that a later version can
// add one without being misread by an earlier one.
package schedule
