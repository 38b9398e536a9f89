package main

// bench is a case, the engines that take part, and what is wanted of Chronos.
type bench struct {
	name    string
	about   string
	key     string // the figure that ratios are of
	engines []engine
	goals   []goal
}

type engine struct {
	name  string
	needs string
	run   func(*child) error
}

const (
	needPostgres = "postgres"
	needRedis    = "redis"
)

// goal is wanted of a figure of Chronos: a bound, or a factor of what the best of
// some peers has. A figure that is a rate has to be larger.
type goal struct {
	engine string // of Chronos; empty: the best of them
	figure string
	rate   bool
	bound  float64 // 0: peers are the bound
	factor float64
	peers  string // regular expression
	of     string // the peers' figure, if it is another one
}

// benches are all cases, in the order of the table in docs/performance.md.
func benches() []bench {
	return []bench{
		late("late-many", "jobs due in the same second, each second: handler start minus due",
			func(z sizes) (int, float64) { return z.Many, z.Late.Seconds() },
			goal{figure: "p99", factor: 1, peers: "^robfig$"}),
		late("late-some", "fewer jobs, the same",
			func(z sizes) (int, float64) { return z.Some, z.Late.Seconds() },
			goal{figure: "p99", factor: 1, peers: "^robfig$"}),
		late("late-one", "one job, the same",
			func(z sizes) (int, float64) { return 1, z.One.Seconds() },
			goal{figure: "p99", bound: 1}),
		{name: "rate", about: "executions per second, no-op handlers, start and end recorded", key: "rate",
			engines: []engine{
				{name: "chronos", run: rateBackfill}, {name: "chronos-trigger", run: rateTrigger}, {name: "chronos-due", run: rateDue},
				{name: "river", needs: needPostgres, run: riverRate}, {name: "river-stocked", needs: needPostgres, run: riverStocked},
				{name: "asynq", needs: needRedis, run: asynqRate}, {name: "asynq-stocked", needs: needRedis, run: asynqStocked},
			},
			goals: []goal{{figure: "rate", rate: true, factor: 2, peers: "river|asynq"}, {figure: "rate", rate: true, bound: 50_000}}},
		{name: "bulk", about: "many jobs in one call or stream", key: "rate",
			engines: []engine{
				{name: "chronos", run: bulkChronos}, {name: "robfig", run: bulkRobfig}, {name: "gocron", run: bulkGocron},
				{name: "river", needs: needPostgres, run: bulkRiver}, {name: "asynq", needs: needRedis, run: bulkAsynq},
			},
			goals: []goal{{figure: "rate", rate: true, factor: 1.5, peers: "^river$"}}},
		puts("put-one", "jobs put one by one, one caller", func(sizes) int { return 1 },
			goal{figure: "rate", rate: true, factor: 1, peers: "^river$"}, goal{figure: "p50", factor: 1, peers: "^river$"}),
		puts("put-many", "the same, many callers", func(z sizes) int { return z.Callers },
			goal{figure: "rate", rate: true, factor: 5, peers: "^river$"}),
		{name: "idle", about: "memory per job that waits", key: "per job",
			engines: []engine{{name: "chronos", run: idleChronos}, {name: "robfig", run: idleRobfig}, {name: "gocron", run: idleGocron}},
			goals:   []goal{{figure: "per job", bound: 200}, {figure: "growth", bound: 1}}},
		{name: "empty", about: "a program with nothing to do", key: "resident",
			engines: []engine{{name: "chronos", run: emptyChronos}, {name: "robfig", run: emptyRobfig}, {name: "gocron", run: emptyGocron}, {name: "nothing", run: emptyNothing}},
			goals:   []goal{{figure: "resident", bound: 40}, {figure: "cpu", bound: 0.5}}},
		{name: "start", about: "a program starts with many jobs: until the first fire", key: "first",
			engines: []engine{{name: "chronos", run: startClosed}, {name: "chronos-killed", run: startKilled}, {name: "robfig", run: startRobfig}, {name: "gocron", run: startGocron}},
			goals:   []goal{{figure: "first", engine: "chronos", bound: 1000}}},
		{name: "open", about: "New to leader, an empty directory", key: "p50",
			engines: []engine{{name: "chronos", run: openChronos}},
			goals:   []goal{{figure: "p50", bound: 150}}},
		{name: "nodes", about: "executions per second of a cluster on one machine", key: "rate",
			engines: []engine{{name: "chronos", run: nodesThree}, {name: "single", run: rateBackfill}},
			goals:   []goal{{figure: "rate", rate: true, factor: 0.5, peers: "^single$"}}},
		{name: "failover", about: "the leader of three is killed: until every job fires again", key: "late p50",
			engines: []engine{{name: "chronos", run: failoverDefault}, {name: "chronos-allow-all", run: failoverAllowAll}, {name: "chronos-short-lease", run: failoverShortLease}},
			goals: []goal{
				{figure: "late max", engine: "chronos", bound: 1000}, {figure: "late max", engine: "chronos-allow-all", bound: 1000},
				{figure: "late max", engine: "chronos-short-lease", bound: 1000},
			}},
		{name: "snapshot", about: "a snapshot of a long history while jobs fire", key: "during p99",
			engines: []engine{{name: "chronos", run: snapshotChronos}},
			goals:   []goal{{figure: "extra memory", bound: 64}, {figure: "slower", bound: 2}}},
		{name: "history", about: "a long history: fire cost, and one job's first page", key: "cost",
			engines: []engine{{name: "chronos", run: historyLong}, {name: "empty", run: historyEmpty}},
			goals: []goal{
				{figure: "cost", factor: 1.5, peers: "^empty$"}, {figure: "p99", factor: 1.5, peers: "^empty$"},
				{figure: "page p99", bound: 5},
			}},
		{name: "retention", about: "rows go as fast as they come", key: "kept",
			engines: []engine{{name: "chronos", run: retentionChronos}},
			goals:   []goal{{figure: "kept", bound: 1.25}}},
		{name: "webhooks", about: "requests to a loopback server, recorded", key: "rate",
			engines: []engine{{name: "chronos", run: hooksChronos}, {name: "chronos-room", run: hooksRoom}, {name: "net/http", run: hooksPlain}},
			goals:   []goal{{figure: "rate", rate: true, factor: 0.5, peers: "^net/http$"}}},
	}
}

// late is a case of punctuality.
func late(name, about string, size func(sizes) (jobs int, seconds float64), goals ...goal) bench {
	with := func(run func(*child, *ticks) error) func(*child) error {
		return func(c *child) error {
			jobs, seconds := size(c.Settings.Sizes)
			return c.punctuality(jobs, int(seconds), run)
		}
	}
	return bench{name: name, about: about, key: "p99", goals: goals, engines: []engine{
		{name: "chronos", run: with(lateChronos)}, {name: "robfig", run: with(lateRobfig)}, {name: "gocron", run: with(lateGocron)},
		{name: "timer", run: with(lateTimer)},
		{name: "river", needs: needPostgres, run: with(lateRiver)}, {name: "asynq", needs: needRedis, run: with(lateAsynq)},
	}}
}

// puts is a case of single writes.
func puts(name, about string, callers func(sizes) int, goals ...goal) bench {
	with := func(run func(*child, int) error) func(*child) error {
		return func(c *child) error { return run(c, callers(c.Settings.Sizes)) }
	}
	return bench{name: name, about: about, key: "rate", goals: goals, engines: []engine{
		{name: "chronos", run: with(putChronos)},
		{name: "river", needs: needPostgres, run: with(putRiver)}, {name: "asynq", needs: needRedis, run: with(putAsynq)},
	}}
}
