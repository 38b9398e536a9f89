package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
)

// run is one run of this program.
type run struct {
	settings settings
	dir      string
	w        io.Writer

	mu       sync.Mutex
	outcomes []*outcome
	refused  []string
}

// report is what -json writes.
type report struct {
	Machine  machine
	Settings settings
	Outcomes []*outcome
	Verdicts []verdict
}

// measure runs what was chosen, and prints what came out.
func measure(ctx context.Context, s settings, w io.Writer) (err error) {
	r := &run{settings: s, dir: s.Dir, w: w}
	if r.dir == "" {
		if r.dir, err = os.MkdirTemp("", "chronos-peers-"); err != nil {
			return err
		}
		defer os.RemoveAll(r.dir)
	}
	m := survey(r.dir)
	fmt.Fprintln(w, m)
	r.all(ctx)
	if !s.Keep {
		if err := os.RemoveAll(filepath.Join(r.dir, "prepared")); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	m.after()
	verdicts := judge(r.outcomes)
	r.table(verdicts)
	fmt.Fprintf(w, "\nload %.2f before, %.2f after\n", m.LoadBefore, m.LoadAfter)
	if err := r.write(report{m, s, r.outcomes, verdicts}); err != nil {
		return err
	}
	if len(r.refused) > 0 {
		return fmt.Errorf("%d of %d measurements do not count:\n  %s", len(r.refused), len(r.outcomes), strings.Join(r.refused, "\n  "))
	}
	if len(r.outcomes) == 0 {
		return fmt.Errorf("no case matches %q with an engine that matches %q", s.Cases, s.Engines)
	}
	return nil
}

// all measures in order; with -parallel some at once.
func (r *run) all(ctx context.Context) {
	places := make(chan struct{}, r.settings.Parallel)
	var working sync.WaitGroup
	defer working.Wait()
	for _, t := range r.tasks() {
		places <- struct{}{}
		if ctx.Err() != nil {
			return
		}
		working.Go(func() {
			defer func() { <-places }()
			r.one(ctx, t)
		})
	}
}

func (r *run) tasks() []task {
	cases, engines := regexp.MustCompile(r.settings.Cases), regexp.MustCompile(r.settings.Engines)
	var out []task
	for _, b := range benches() {
		if !cases.MatchString(b.name) {
			continue
		}
		for round := range r.settings.Count {
			for _, e := range b.engines {
				if !engines.MatchString(e.name) || e.needs == needPostgres && r.settings.Postgres == "" || e.needs == needRedis && r.settings.Redis == "" {
					continue
				}
				t := task{Case: b.name, Engine: e.name, Settings: r.settings, Prepared: filepath.Join(r.dir, "prepared")}
				t.Dir = filepath.Join(r.dir, fmt.Sprintf("%s.%s.%d", b.name, e.name, round))
				out = append(out, t)
			}
		}
	}
	if r.settings.Parallel > 1 { // the longest first
		i := slices.IndexFunc(out, func(t task) bool { return t.Case == "retention" })
		if i > 0 {
			out = slices.Insert(slices.Delete(slices.Clone(out), i, i+1), 0, out[i])
		}
	}
	return out
}

// one measures, and clears up.
func (r *run) one(ctx context.Context, t task) {
	began := time.Now()
	log := &tail{}
	o, err := r.child(ctx, t, log)
	if o == nil {
		o = &outcome{Case: t.Case, Engine: t.Engine}
	}
	if err != nil && o.Err == "" {
		o.Err = err.Error()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outcomes = append(r.outcomes, o)
	if err := o.refused(); err != nil {
		r.refused = append(r.refused, fmt.Sprintf("%s by %s: %.200s", t.Case, t.Engine, firstLine(err.Error())))
	}
	r.line(o, time.Since(began))
	if o.refused() != nil {
		fmt.Fprintf(r.w, "what it logged at last:\n%s\n", log)
	}
}

// tail keeps the end of what is written.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	const most = 4000
	if len(t.text) > 2*most {
		t.text = append(t.text[:0], t.text[len(t.text)-most:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}

func (r *run) child(ctx context.Context, t task, log io.Writer) (*outcome, error) {
	if err := os.RemoveAll(t.Dir); err != nil {
		return nil, err
	}
	defer os.RemoveAll(t.Dir)
	p, err := launch(ctx, t, log)
	if err != nil {
		return nil, err
	}
	defer p.stdin.Close()
	m, err := p.await("outcome", 3*time.Hour)
	if err != nil && m.Outcome == nil {
		p.kill()
		return nil, err
	}
	return m.Outcome, p.cmd.Wait()
}

// line is one measurement, as it comes.
func (r *run) line(o *outcome, took time.Duration) {
	var b strings.Builder
	fmt.Fprintf(&b, "%-11s %-18s", o.Case, o.Engine)
	for _, f := range o.Figures {
		fmt.Fprintf(&b, " %s %s", f.Name, amount(f.Value, f.Unit))
	}
	fmt.Fprintf(&b, "  (%.1f s, load %.1f, others %.1f cores)", took.Seconds(), o.Load, o.Others)
	if err := o.refused(); err != nil {
		fmt.Fprintf(&b, "\n%-30s REFUSED: %s", "", firstLine(err.Error()))
	} else {
		for _, c := range o.Controls {
			fmt.Fprintf(&b, "\n%-30s counted: %s: %d", "", c.What, c.Got)
		}
	}
	for _, n := range o.Notes {
		fmt.Fprintf(&b, "\n%-30s %s", "", n)
	}
	fmt.Fprintln(r.w, b.String())
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func (r *run) write(report report) error {
	if r.settings.JSON == "" {
		return nil
	}
	report.Settings.Postgres = "" // it may hold a password
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(r.settings.JSON, append(text, '\n'), 0o644)
}
