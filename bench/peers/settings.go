package main

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// settings are the flags. Children get them whole.
type settings struct {
	Cases, Engines  string // regular expressions
	Count           int
	Short           bool
	Parallel        int
	Dir             string
	Keep            bool
	JSON            string
	Postgres, Redis string
	CPUProfile      string
	Lose            int
	Sizes           sizes
}

// sizes say how large each case is.
type sizes struct {
	Many, Some        int           // jobs due in the same second
	Late, Warm        time.Duration // how long starts are measured, after how long
	One               time.Duration // the same with one job
	Rate              time.Duration // how long executions are fed
	Feeds             int           // jobs that are fed
	Ahead             int           // executions under way at once
	Bulk              int           // jobs in one call
	Put               time.Duration
	Callers           int // of single puts, and webhooks at once
	Idle              int // jobs that wait
	Empty             time.Duration
	Opens             int
	Kills, KillJobs   int
	History, HistJobs int
	Hooks             time.Duration
	Retention         time.Duration
}

var full = sizes{
	Many: 10_000, Some: 1_000, Late: 20 * time.Second, Warm: 5 * time.Second, One: time.Minute,
	Rate: time.Minute, Feeds: 32, Ahead: 16_000, Bulk: 100_000, Put: 10 * time.Second, Callers: 64,
	Idle: 1_000_000, Empty: 30 * time.Second, Opens: 20, Kills: 10, KillJobs: 60,
	History: 1_000_000, HistJobs: 1_000, Hooks: 20 * time.Second, Retention: 3 * time.Minute,
}

// short proves that every case works; its figures mean nothing. Rows are pruned once
// a minute, so retention takes a minute whatever is asked for.
var short = sizes{
	Many: 200, Some: 50, Late: 2 * time.Second, Warm: time.Second, One: 2 * time.Second,
	Rate: 2 * time.Second, Feeds: 8, Ahead: 4_000, Bulk: 2_000, Put: time.Second, Callers: 16,
	Idle: 10_000, Empty: time.Second, Opens: 3, Kills: 1, KillJobs: 12,
	History: 20_000, HistJobs: 50, Hooks: time.Second, Retention: 66 * time.Second,
}

func parse(args []string) (settings, error) {
	s := settings{Sizes: full}
	for _, a := range args { // the others override what it sets
		if a = strings.TrimLeft(a, "-"); a == "short" || a == "short=true" {
			s.Sizes, s.Parallel = short, 4
		}
	}
	f := flag.NewFlagSet("peers", flag.ContinueOnError)
	f.StringVar(&s.Cases, "case", ".", "`regexp` of the cases")
	f.StringVar(&s.Engines, "engine", ".", "`regexp` of the engines")
	f.IntVar(&s.Count, "count", 1, "how often each is measured")
	f.BoolVar(&s.Short, "short", false, "small sizes: does every case work?")
	f.IntVar(&s.Parallel, "parallel", max(s.Parallel, 1), "measurements at once; more than one spoils the figures")
	f.StringVar(&s.Dir, "dir", "", "where the data goes; default a temporary `directory`")
	f.BoolVar(&s.Keep, "keep", false, "leave prepared data in -dir for the next run")
	f.StringVar(&s.JSON, "json", "", "write all figures to this `file`, too")
	f.StringVar(&s.Postgres, "postgres", "", "measure River on this database `URL`, in a schema of its own")
	f.StringVar(&s.Redis, "redis", "", "measure asynq on this `address`, in queues of its own")
	f.StringVar(&s.CPUProfile, "cpuprofile", "", "write CPU profiles of the measurements to this `directory`")
	f.IntVar(&s.Lose, "lose", 0, "forget each n-th start: every measurement has to be refused then")
	s.Sizes.flags(f)
	if err := f.Parse(args); err != nil {
		return s, err
	}
	if f.NArg() > 0 {
		return s, errors.New("arguments are not expected: " + f.Arg(0))
	}
	return s, s.prepare()
}

func (z *sizes) flags(f *flag.FlagSet) {
	f.IntVar(&z.Many, "many", z.Many, "late-many: jobs due in the same second")
	f.IntVar(&z.Some, "some", z.Some, "late-some: the same, fewer")
	f.DurationVar(&z.Late, "late", z.Late, "late-*: how long starts are measured")
	f.DurationVar(&z.Warm, "warm", z.Warm, "late-*: how long they are not, at first")
	f.DurationVar(&z.One, "one", z.One, "late-one: how long starts are measured")
	f.DurationVar(&z.Rate, "rate", z.Rate, "rate, nodes: how long executions are fed")
	f.IntVar(&z.Feeds, "feeds", z.Feeds, "rate, nodes: jobs that are fed")
	f.IntVar(&z.Ahead, "ahead", z.Ahead, "rate, nodes: executions under way at once")
	f.IntVar(&z.Bulk, "bulk", z.Bulk, "bulk: jobs in one call")
	f.DurationVar(&z.Put, "put", z.Put, "put-*: how long")
	f.IntVar(&z.Callers, "callers", z.Callers, "put-many, webhooks: callers at once")
	f.IntVar(&z.Idle, "idle", z.Idle, "idle, start: jobs that wait")
	f.DurationVar(&z.Empty, "empty", z.Empty, "empty: how long idleness is watched")
	f.IntVar(&z.Opens, "opens", z.Opens, "open: how often")
	f.IntVar(&z.Kills, "kills", z.Kills, "failover: leaders killed")
	f.IntVar(&z.KillJobs, "killjobs", z.KillJobs, "failover: jobs, each due once a second")
	f.IntVar(&z.History, "history", z.History, "snapshot, history, retention: executions in the ledger")
	f.IntVar(&z.HistJobs, "histjobs", z.HistJobs, "snapshot, history, retention: jobs that they belong to")
	f.DurationVar(&z.Hooks, "hooks", z.Hooks, "webhooks: how long")
	f.DurationVar(&z.Retention, "retention", z.Retention, "retention: how long; rows go once a minute")
}

func (s *settings) prepare() error {
	for _, expr := range []string{s.Cases, s.Engines} {
		if _, err := regexp.Compile(expr); err != nil {
			return err
		}
	}
	if s.Count < 1 || s.Parallel < 1 {
		return errors.New("-count and -parallel are at least 1")
	}
	if s.CPUProfile != "" {
		dir, err := filepath.Abs(s.CPUProfile)
		if err != nil {
			return err
		}
		s.CPUProfile = dir
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	if s.Dir == "" {
		return nil
	}
	dir, err := filepath.Abs(s.Dir)
	s.Dir = dir
	return errors.Join(err, os.MkdirAll(dir, 0o755))
}
