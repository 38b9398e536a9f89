// Package schedule answers one question: when is a job due next?
//
// A [Spec] says it in words of the user (a cron expression, a period, a delay
// or one instant, with a zone, bounds and policies), [Compile] checks every
// word and turns some of them into a [Schedule], and [Schedule.Next] computes. There is
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
// Several Specs make a union, which is due when one of them is. A delay stands
// alone.
//
// # Cron expressions
//
// At most [MaxExpr] bytes, fields separated by blanks:
//
//	second        0-59             only with 6 or 7 fields; 0 without
//	minute        0-59
//	hour          0-23
//	day-of-month  1-31             L (last day), L-3, 15W (weekday nearest to the 15th), LW, L-3W
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
// to the end of the field. A range that ends before it begins (22-2, FRI-MON,
// 28-3) goes round the end of the field, its steps too, in every field but the
// year. Names are case-insensitive and stand wherever their numbers may. ? alone
// is the same as *. A step may be at most the number of values of the field:
// */90 in minutes would fire once an hour, which nobody means. The macros are
// @hourly @daily @midnight @weekly @monthly @yearly @annually.
//
// H is a value of the field by the hash of a seed, the job's ID unless the Spec
// has one: any (of the days of the month, 1 to 28), one of H(a-b), or with a step
// the values that lie whole steps from one of the first ones: H/15 is 7,22,37,52,
// say.
//
// gronx interprets the parts that do not depend on the month, once, in Compile;
// its search and its IsValid are not used (they are wrong in zones, and depend on
// the moment of the call).
//
// When both day fields are restricted a day matches if either does, as in Vixie
// cron; a field that starts with *, ? or H/ is not restricted, and then both must
// match (so "*/2" with a weekday is an AND). AndDays asks for AND always.
//
// # What moves and leaves out due times
//
// A cron schedule is computed on the wall clock first: the days that match move to
// business days (Roll), the days of Except and then the times that an expression
// of Not matches are left out. What remains is mapped to instants by the zone and
// its policies. So the nominal day and time count, also where daylight saving
// moves a due time, and a time that is left out is due in neither pass of a
// repeated hour. An expression of Not without a seconds field stands for whole
// minutes. KindEvery has no wall clock: Except leaves out instants by their
// date in the zone.
//
// The search goes from one candidate day to the next, and within a day by sets
// of hours, minutes and seconds, so that a second that is left out for eleven
// months costs no more than a day.
//
// # Daylight saving
//
// The rule is Debian's cron(8). A fixed-time job is one whose minute field and
// hour field both start with none of *, ? and H/; the seconds field plays no
// part.
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
//	0 9 * * MON-FRI; except=12-24..01-02 | 0 12 * * SAT
//
// Schedules of a union are separated by |. In each an optional CRON_TZ= (or TZ=)
// comes first, then the schedule, then options separated by semicolons, each at
// most once: anchor=, from=, until= (RFC 3339), jitter= (a Go duration),
// gap=shift|skip, repeat=auto|first|both|last, days=or|and,
// roll=following|preceding|modified-following|modified-preceding|nearest,
// holidays= and except= (lists of days), not= (expressions separated by +; one
// that begins with & asks for both day fields), seed=. A list of days has items
// such as 2026-12-24, 2026-12-24..2027-01-02, 12-25, 12-24..01-02, SAT, FRI..SUN.
// An option nobody knows is an error, so that a later version can add one
// without being misread by an earlier one.
package schedule
