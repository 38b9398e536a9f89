package main

import (
	"context"
	"io"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if text := os.Getenv(taskEnv); text != "" { // measurements are processes of their own
		exit(childMain(context.Background(), text))
	}
	os.Exit(m.Run())
}

// TestLostStartsAreRefused: a measurement that does not find what it should have
// found must not count, whichever it is. All starts are forgotten here.
func TestLostStartsAreRefused(t *testing.T) {
	s, err := parse([]string{"-short", "-lose", "1", "-dir", t.TempDir(), "-case", "late-some|rate|bulk|put-one|empty|open", "-engine", "chronos$|robfig|timer"})
	if err != nil {
		t.Fatal(err)
	}
	r := &run{settings: s, dir: s.Dir, w: io.Discard}
	r.all(t.Context())
	if len(r.outcomes) < 10 {
		t.Fatalf("%d measurements", len(r.outcomes))
	}
	for _, o := range r.outcomes {
		switch err := o.refused(); {
		case err == nil:
			t.Errorf("%s by %s counts, although everything was forgotten", o.Case, o.Engine)
		case !strings.Contains(err.Error(), "instead of") && !strings.Contains(err.Error(), "have no start"):
			t.Errorf("%s by %s: %v", o.Case, o.Engine, err)
		}
	}
}

// TestShort: what is asked for by name stands, wherever it is.
func TestShort(t *testing.T) {
	for _, args := range [][]string{{"-short"}, {"--short=true"}, {"-count", "2", "-short", "-many", "7"}} {
		s, err := parse(args)
		if err != nil || !s.Short || s.Sizes.History != short.History || s.Sizes.Many != short.Many && s.Sizes.Many != 7 {
			t.Errorf("%v: %+v, %v", args, s, err)
		}
	}
	if s, err := parse([]string{"-many", "7"}); err != nil || s.Sizes.Many != 7 || s.Sizes.History != full.History {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestRefused(t *testing.T) {
	for name, o := range map[string]*outcome{
		"nothing was counted": {},
		"one is missing":      {Controls: []control{{"starts", 9, 10}}},
		"one is too many":     {Controls: []control{{"starts", 10, 10}, {"rows", 11, 10}}},
		"nothing was to run":  {Controls: []control{{"starts", 0, 0}}},
		"it failed":           {Controls: []control{{"starts", 10, 10}}, Err: "no"},
	} {
		if o.refused() == nil {
			t.Errorf("%s: it counts", name)
		}
	}
	good := &outcome{Controls: []control{{"starts", 10, 10}}}
	if err := good.refused(); err != nil {
		t.Error(err)
	}
}

// TestTicks: starts belong to the second they are for, also when they are more than
// a second late; what is missing is noticed.
func TestTicks(t *testing.T) {
	from := time.Unix(1_800_000_000, 0)
	to := from.Add(10 * time.Second)
	fill := func(late time.Duration, skip int) *ticks {
		k := newTicks(1, 12, 0)
		for i := range 11 {
			if i != skip {
				k.start(0, from.Add(time.Duration(i)*time.Second+late))
			}
			late -= late / 4
		}
		return k
	}
	late, missing := fill(1900*time.Millisecond, -1).lateness(from, to)
	if missing != 0 || len(late) != 10 || late[0] != 1900*time.Millisecond {
		t.Errorf("late: %v, %d missing", late, missing)
	}
	if _, missing := fill(time.Millisecond, -1).lateness(from, to); missing != 0 {
		t.Errorf("%d missing", missing)
	}
	if _, missing := fill(time.Millisecond, 4).lateness(from, to); missing != 1 {
		t.Errorf("a start that was left out: %d missing", missing)
	}
	k := newTicks(2, 12, 0)
	k.epoch = from.Unix()
	for i := range 10 {
		k.startDue(0, from.Add(time.Duration(i)*time.Second), from.Add(time.Duration(i)*time.Second+time.Millisecond))
	}
	k.startDue(0, from, from.Add(time.Hour))
	if k.extra.Load() != 1 {
		t.Error("an instant that fired twice was not noticed")
	}
	if _, missing := k.lateness(from, to); missing != 10 {
		t.Errorf("a job without a start: %d missing", missing)
	}
}

func TestVerdicts(t *testing.T) {
	rows := []row{
		{"chronos", []*outcome{{Controls: []control{{"x", 1, 1}}, Figures: []figure{{"rate", 90, "/s"}, {"p99", 4, "ms"}}}}},
		{"chronos-b", []*outcome{{Controls: []control{{"x", 1, 1}}, Figures: []figure{{"rate", 110, "/s"}, {"p99", 9, "ms"}}}}},
		{"river", []*outcome{{Controls: []control{{"x", 1, 1}}, Figures: []figure{{"rate", 50, "/s"}, {"p99", 3, "ms"}}}}},
		{"asynq", []*outcome{{Controls: []control{{"x", 0, 1}}, Figures: []figure{{"rate", 500, "/s"}}}}}, // does not count
	}
	for _, c := range []struct {
		g          goal
		known, met bool
	}{
		{goal{figure: "rate", rate: true, factor: 2, peers: "river|asynq"}, true, true},
		{goal{figure: "rate", engine: "chronos", rate: true, factor: 2, peers: "river|asynq"}, true, false},
		{goal{figure: "p99", factor: 1, peers: "river"}, true, false},
		{goal{figure: "p99", factor: 1, peers: "robfig"}, false, false},
		{goal{figure: "p99", bound: 5}, true, true},
	} {
		v, ok := c.g.judge("x", rows)
		if !ok || v.Known != c.known || v.Met != c.met {
			t.Errorf("%+v: %+v", c.g, v)
		}
	}
}

// TestGoalsNameEngines: a goal whose peers do not exist would never be judged.
func TestGoalsNameEngines(t *testing.T) {
	for _, b := range benches() {
		for _, g := range b.goals {
			found := g.peers == ""
			for _, e := range b.engines {
				found = found || regexp.MustCompile(g.peers).MatchString(e.name)
			}
			if !found {
				t.Errorf("%s: nobody is called %q", b.name, g.peers)
			}
		}
	}
}
