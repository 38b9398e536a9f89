package chronos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testhook"
	"github.com/chronos-go/chronos/internal/testleak"
	"github.com/chronos-go/chronos/raftfsm"
)

// epoch is when every bubble begins.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// rig is a scheduler in a bubble, with what it ran.
type rig struct {
	*chronos.Scheduler
	t    *testing.T
	opts chronos.Options
	ctx  context.Context
	end  func() error // ends Run; nil while it does not run

	mu    sync.Mutex
	calls []chronos.Execution
	times []time.Time
}

// bubble runs a test on a fake clock that begins at epoch, with an open
// scheduler that keeps nothing on disk.
func bubble(t *testing.T, opts chronos.Options, test func(r *rig)) {
	t.Helper()
	bubbleWith(t, opts, func(*chronos.Options) {}, test)
}

// bubbleWith is bubble with options that have to be made inside.
func bubbleWith(t *testing.T, opts chronos.Options, inside func(*chronos.Options), test func(r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if opts.Dir == "" {
			opts.InMemory = true
		}
		inside(&opts)
		r := &rig{t: t, opts: opts, ctx: context.Background()}
		r.open()
		test(r)
		r.shut()
	})
}

// onDisk is bubble with a directory, so that the test can open it again.
func onDisk(t *testing.T, opts chronos.Options, test func(r *rig)) {
	t.Helper()
	opts.Dir = t.TempDir()
	bubble(t, opts, test)
}

func (r *rig) open() {
	r.t.Helper()
	if r.opts.Logger == nil {
		r.opts.Logger = quiet
	}
	s, err := chronos.New(r.opts)
	if err != nil {
		r.t.Fatalf("New: %v", err)
	}
	r.Scheduler = s
	r.t.Cleanup(func() { _ = s.Close() })
}

// start calls Run and returns when everything that is due has begun.
func (r *rig) start() {
	r.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	s := r.Scheduler
	go func() { done <- s.Run(ctx) }()
	r.end = func() error {
		cancel()
		return <-done
	}
	synctest.Wait()
}

// halt ends Run.
func (r *rig) halt() {
	r.t.Helper()
	if r.end == nil {
		return
	}
	if err := r.end(); err != nil {
		r.t.Errorf("Run: %v", err)
	}
	r.end = nil
}

func (r *rig) shut() {
	r.t.Helper()
	r.halt()
	if err := r.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
}

// away closes the scheduler for some time and opens it again. Handlers have to
// be registered anew.
func (r *rig) away(d time.Duration) {
	r.t.Helper()
	r.shut()
	time.Sleep(d)
	r.open()
}

// crash leaves the scheduler as it is (the test ends it later) and gives a rig
// on a copy of its directory, as a killed process would have left it.
func (r *rig) crash() *rig {
	r.t.Helper()
	synctest.Wait()
	dir := r.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(r.opts.Dir)); err != nil {
		r.t.Fatal(err)
	}
	opts := r.opts
	opts.Dir = dir
	out := &rig{t: r.t, opts: opts, ctx: r.ctx}
	out.open()
	return out
}

// until sleeps up to a time of the day, and lets what is due then happen.
func (r *rig) until(clock string) {
	r.t.Helper()
	d := time.Until(at(clock))
	if d < 0 {
		r.t.Fatalf("it is past %s: %s", clock, time.Now().UTC())
	}
	time.Sleep(d)
	synctest.Wait()
}

// at is a time of the first day, or of another with "2 15:04:05".
func at(clock string) time.Time {
	day := 1
	if d, rest, ok := strings.Cut(clock, " "); ok {
		fmt.Sscan(d, &day)
		clock = rest
	}
	t, err := time.Parse("15:04:05", clock)
	if err != nil {
		panic(err)
	}
	return epoch.AddDate(0, 0, day-1).Add(t.Sub(t.Truncate(24 * time.Hour)))
}

func (r *rig) put(j chronos.Job) chronos.Job {
	r.t.Helper()
	if j.ID == "" {
		j.ID = "job"
	}
	if j.Handler == "" && j.Webhook == nil {
		j.Handler = "h"
	}
	got, err := r.Put(r.ctx, j)
	if err != nil {
		r.t.Fatalf("Put %s: %v", j.ID, err)
	}
	return got
}

func (r *rig) get(id string) chronos.Job {
	r.t.Helper()
	j, err := r.Get(r.ctx, id)
	if err != nil {
		r.t.Fatalf("Get %s: %v", id, err)
	}
	return j
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) trigger(id string, req chronos.TriggerRequest) chronos.Execution {
	r.t.Helper()
	x, err := r.Trigger(r.ctx, id, req)
	if err != nil {
		r.t.Fatalf("Trigger %s: %v", id, err)
	}
	return x
}

func (r *rig) execution(id string) chronos.Execution {
	r.t.Helper()
	x, err := r.Execution(r.ctx, id)
	if err != nil {
		r.t.Fatalf("Execution %s: %v", id, err)
	}
	return x
}

// handle registers a handler under the name "h" that is recorded.
func (r *rig) handle(h chronos.Handler) {
	r.t.Helper()
	r.handleAs("h", h)
}

func (r *rig) handleAs(name string, h chronos.Handler) {
	r.t.Helper()
	err := r.Handle(name, func(ctx context.Context, x chronos.Execution) error {
		r.mu.Lock()
		r.calls = append(r.calls, x)
		r.times = append(r.times, time.Now())
		r.mu.Unlock()
		return h(ctx, x)
	})
	if err != nil {
		r.t.Fatalf("Handle: %v", err)
	}
}

// called tells what was started so far.
func (r *rig) called() []chronos.Execution {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// starts is when handlers were called, as text.
func (r *rig) starts() string {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]string, len(r.times))
	for i, t := range r.times {
		out[i] = clockText(t)
	}
	return strings.Join(out, " ")
}

func succeed(context.Context, chronos.Execution) error { return nil }

var errBoom = errors.New("boom")

func fail(context.Context, chronos.Execution) error { return errBoom }

// busy works for d, and gives up when its context ends.
func busy(d time.Duration) chronos.Handler {
	return func(ctx context.Context, _ chronos.Execution) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// deaf works for d, whatever its context says, and returns err.
func deaf(d time.Duration, err error) chronos.Handler {
	return func(context.Context, chronos.Execution) error {
		time.Sleep(d)
		return err
	}
}

func clockText(t time.Time) string {
	format := "15:04:05"
	if t.Nanosecond() != 0 {
		format = "15:04:05.000"
	}
	if t.UTC().Sub(epoch) >= 24*time.Hour {
		format = "2006-01-02 " + format
	}
	return t.UTC().Format(format)
}

// rowText is a ledger row in a line.
func rowText(x chronos.Execution) string {
	var b strings.Builder
	if x.Origin != chronos.OriginSchedule {
		b.WriteString(string(x.Origin) + " ")
	}
	b.WriteString(clockText(x.Due))
	if !x.RangeTo.IsZero() && x.Count > 1 {
		fmt.Fprintf(&b, "-%s x%d", clockText(x.RangeTo), x.Count)
	}
	b.WriteString(" " + string(x.Status))
	if x.Reason != "" {
		b.WriteString("(" + string(x.Reason) + ")")
	}
	if x.Waiting != "" {
		b.WriteString("[" + string(x.Waiting) + "]")
	}
	if x.Attempt > 1 {
		fmt.Fprintf(&b, " #%d", x.Attempt)
	}
	return b.String()
}

// rows lists a job's ledger, oldest first.
func (r *rig) rows(job string) []chronos.Execution {
	r.t.Helper()
	synctest.Wait()
	var out []chronos.Execution
	for x, err := range r.Executions(r.ctx, chronos.Query{Job: job}) {
		if err != nil {
			r.t.Fatalf("Executions: %v", err)
		}
		out = append(out, x)
	}
	slices.Reverse(out)
	return out
}

func (r *rig) ledgerText(job string) []string {
	r.t.Helper()
	var out []string
	for _, x := range r.rows(job) {
		out = append(out, rowText(x))
	}
	return out
}

// wantLedger compares the ledger of "job", oldest row first.
func (r *rig) wantLedger(want ...string) {
	r.t.Helper()
	same(r.t, "ledger", r.ledgerText("job"), want)
}

func (r *rig) wantStarts(want string) {
	r.t.Helper()
	if got := r.starts(); got != want {
		r.t.Errorf("starts:\n got %s\nwant %s", got, want)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got\n\t%s\nwant\n\t%s", what, strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// No compactors: their ticks cost more than all else in a simulated day. No
// fsync: what these tests call a crash is a copy of what was written.
func TestMain(m *testing.M) {
	testhook.Raft = func(c *raftfsm.Config) { c.NoCompaction, c.NoSync = true, true }
	dir, err := os.MkdirTemp("", "zones")
	if err != nil {
		panic(err)
	}
	os.Setenv("ZONEINFO", dir) // looked at first; see moveZone
	code := testleak.Run(m)
	os.RemoveAll(dir)
	os.Exit(code)
}
