package chronosprom_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/pipenet"
	"github.com/chronos-go/chronos/internal/testhook"
	chronosprom "github.com/chronos-go/chronos/prometheus"
	"github.com/chronos-go/chronos/raftfsm"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func TestMain(m *testing.M) {
	testhook.Raft = func(c *raftfsm.Config) { c.NoCompaction, c.NoSync = true, true }
	os.Exit(m.Run())
}

// node is a scheduler that is collected from.
type node struct {
	*chronos.Scheduler
	t   *testing.T
	c   *chronosprom.Collector
	reg *prometheus.Registry
	end func()
}

func open(t *testing.T, o chronosprom.Options, opts chronos.Options) *node {
	t.Helper()
	n := &node{t: t, c: chronosprom.New(o), reg: prometheus.NewPedanticRegistry()}
	n.reg.MustRegister(n.c)
	opts.Logger, opts.Around = quiet, append(opts.Around, n.c.Around)
	opts.InMemory = opts.Dir == ""
	s, err := chronos.New(opts)
	if err != nil {
		t.Fatal(err)
	}
	n.Scheduler = s
	n.c.Observe(s)
	return n
}

func (n *node) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- n.Run(ctx) }()
	n.end = func() {
		cancel()
		<-done
	}
	synctest.Wait()
}

func (n *node) close() {
	n.t.Helper()
	if n.end != nil {
		n.end()
	}
	if err := n.Close(); err != nil {
		n.t.Errorf("Close: %v", err)
	}
}

func (n *node) put(jobs ...chronos.Job) {
	n.t.Helper()
	for _, j := range jobs {
		if _, err := n.Put(n.t.Context(), j); err != nil {
			n.t.Fatal(err)
		}
	}
}

func (n *node) handle(name string, h chronos.Handler) {
	n.t.Helper()
	if err := n.Handle(name, h); err != nil {
		n.t.Fatal(err)
	}
}

// values are all series, by name and labels; of a histogram its count and sum.
func (n *node) values() map[string]float64 {
	n.t.Helper()
	synctest.Wait()
	families, err := n.reg.Gather()
	if err != nil {
		n.t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.Metric {
			var labels []string
			for _, l := range m.Label {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			name := f.GetName()
			tail := ""
			if len(labels) > 0 {
				tail = "{" + strings.Join(labels, ",") + "}"
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				out[name+tail] = m.Counter.GetValue()
			case dto.MetricType_GAUGE:
				out[name+tail] = m.Gauge.GetValue()
			case dto.MetricType_HISTOGRAM:
				out[name+"_count"+tail] = float64(m.Histogram.GetSampleCount())
				out[name+"_sum"+tail] = m.Histogram.GetSampleSum()
			default:
				n.t.Fatalf("%s is a %v", name, f.GetType())
			}
		}
	}
	return out
}

func (n *node) want(want map[string]float64) {
	n.t.Helper()
	got := n.values()
	for name, v := range want {
		g, ok := got[name]
		if !ok && v >= 0 || ok && (g-v > 1e-6 || v-g > 1e-6) {
			n.t.Errorf("%s is %v (there: %v), want %v", name, g, ok, v)
		}
	}
}

const absent = -1

func unix(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

func TestOneNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		n := open(t, chronosprom.Options{}, chronos.Options{Dir: t.TempDir()})
		defer n.close()
		n.handle("good", func(context.Context, chronos.Execution) error {
			time.Sleep(2 * time.Second)
			return nil
		})
		n.handle("bad", func(context.Context, chronos.Execution) error { return errors.New("bad") })
		minute := chronos.Every(time.Minute)
		n.put(
			chronos.Job{ID: "good", Handler: "good", Schedule: minute},
			chronos.Job{ID: "bad", Handler: "bad", Schedule: minute, SucceedWithin: 150 * time.Second, Retry: chronos.Retry{MaxAttempts: 2, NoJitter: true}},
			chronos.Job{ID: "nobody", Handler: "none", Schedule: chronos.At(begin.Add(time.Minute))},
		)
		n.want(map[string]float64{
			"chronos_executions_total{reason=,status=succeeded}": 0, "chronos_ready": 1, "chronos_running": 0,
			"chronos_leading": absent, "chronos_applied_lag_seconds": absent, "chronos_job_failures_in_a_row{job_id=bad}": 0,
			"chronos_job_executions_total{job_id=good,status=missed}": 0,
		})
		n.run()
		time.Sleep(3*time.Minute + 30*time.Second)
		n.want(map[string]float64{
			"chronos_running": 1, "chronos_stopped": 0, "chronos_disk_full": 0,
			"chronos_executions_total{reason=,status=succeeded}": 3, "chronos_executions_total{reason=,status=failed}": 3,
			"chronos_attempts_total{handler=good,reason=,status=succeeded}": 3, "chronos_attempts_total{handler=bad,reason=,status=failed}": 6,
			"chronos_attempts_total{handler=bad,reason=,status=succeeded}": 0,
			"chronos_attempt_duration_seconds_sum{handler=good}":           6, "chronos_attempt_duration_seconds_count{handler=bad}": 6,
			"chronos_attempt_lateness_seconds_count{handler=bad}": 3, "chronos_attempt_lateness_seconds_sum{handler=good}": 0,
			"chronos_queue_length{waiting=nobody}": 1, "chronos_queue_age_seconds{waiting=nobody}": 150,
			"chronos_queue_length{waiting=room}": 0, "chronos_queue_age_seconds{waiting=key}": 0,
			"chronos_jobs_overdue": 1, "chronos_job_overdue{job_id=bad}": 1, "chronos_job_overdue{job_id=good}": 0,
			"chronos_job_failures_in_a_row{job_id=bad}":               3,
			"chronos_job_next_due_timestamp_seconds{job_id=good}":     unix(begin.Add(4 * time.Minute)),
			"chronos_next_due_timestamp_seconds":                      unix(begin.Add(4 * time.Minute)),
			"chronos_job_last_success_timestamp_seconds{job_id=good}": unix(begin.Add(3*time.Minute + 2*time.Second)),
			"chronos_job_last_success_timestamp_seconds{job_id=bad}":  absent,
			"chronos_job_succeed_by_timestamp_seconds{job_id=bad}":    unix(begin.Add(150 * time.Second)),
			"chronos_job_executions_total{job_id=bad,status=failed}":  3,
			"chronos_job_unfinished{job_id=nobody}":                   1, "chronos_job_series_truncated": 0, "chronos_events_dropped_total": 0,
		})
		if v := n.values(); v["chronos_disk_free_bytes"] == 0 || v["chronos_disk_size_bytes"] < v["chronos_disk_free_bytes"] {
			t.Errorf("disk: %v of %v", v["chronos_disk_free_bytes"], v["chronos_disk_size_bytes"])
		}
		if err := n.Delete(t.Context(), "bad"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second) // Refresh
		n.want(map[string]float64{"chronos_job_overdue{job_id=bad}": absent, "chronos_job_executions_total{job_id=bad,status=failed}": absent, "chronos_jobs_overdue": 0})
		if problems, err := testutil.GatherAndLint(n.reg); err != nil || len(problems) > 0 {
			t.Errorf("lint: %v, %v", problems, err)
		}
	})
}

// A late start is what lies beyond the jitter; a retry is not late.
func TestLateness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, chronosprom.Options{}, chronos.Options{Concurrency: 1})
		defer n.close()
		n.handle("h", func(context.Context, chronos.Execution) error {
			time.Sleep(10 * time.Second)
			return nil
		})
		n.put(
			chronos.Job{ID: "a", Handler: "h", Schedule: chronos.At(time.Now().Add(time.Minute))},
			chronos.Job{ID: "b", Handler: "h", Schedule: chronos.At(time.Now().Add(time.Minute))},
			chronos.Job{ID: "c", Handler: "h", Schedule: chronos.Every(time.Hour).Jitter(50 * time.Minute)},
		)
		n.run()
		time.Sleep(3 * time.Hour)
		n.want(map[string]float64{"chronos_attempt_lateness_seconds_count{handler=h}": 4, "chronos_attempt_lateness_seconds_sum{handler=h}": 10})
	})
}

// Jobs have a bounded number of series, and none when that is asked for.
func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for max, want := range map[int]int{0: 500, 7: 7, -1: 0} {
			n := open(t, chronosprom.Options{MaxJobs: max}, chronos.Options{})
			n.handle("h", func(context.Context, chronos.Execution) error { return nil })
			var jobs []chronos.Job
			for i := range 600 {
				jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%03d", i), Handler: "h", Schedule: chronos.Every(time.Minute)})
			}
			if _, err := n.PutAll(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
			n.run()
			time.Sleep(5*time.Minute + time.Second)
			got, v := map[string]bool{}, n.values()
			for name := range v {
				if _, job, ok := strings.Cut(name, "job_id="); ok {
					got[strings.TrimRight(strings.Split(job, ",")[0], "}")] = true
				}
			}
			if len(got) != want || v["chronos_job_series_truncated"] != float64(min(want, 1)) {
				t.Errorf("MaxJobs %d: %d jobs have series, truncated %v", max, len(got), v["chronos_job_series_truncated"])
			}
			// Every minute brings more events than a reader can take; what counts for
			// all jobs is right all the same.
			if v["chronos_executions_total{reason=,status=succeeded}"] != 3000 {
				t.Errorf("MaxJobs %d: %v executions", max, v["chronos_executions_total{reason=,status=succeeded}"])
			}
			n.close()
		}
	})
}

// Events that are dropped are counted.
func TestDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := open(t, chronosprom.Options{}, chronos.Options{})
		defer n.close()
		n.handle("h", func(context.Context, chronos.Execution) error { return nil })
		n.run()
		const rounds, each = 2, 3_000
		for range rounds {
			var jobs []chronos.Job
			for i := range each {
				jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%04d", i), Handler: "h", Schedule: chronos.At(time.Now().Add(time.Minute)), RemoveAfter: true})
			}
			if _, err := n.PutAll(t.Context(), jobs); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
		}
		n.put(chronos.Job{ID: "last", Handler: "h"}) // its event tells of those before
		n.want(map[string]float64{"chronos_executions_total{reason=,status=succeeded}": rounds * each})
		t.Logf("%v events were dropped", n.values()["chronos_events_dropped_total"])
	})
}

func cluster(t *testing.T, names ...string) (net *pipenet.Network, nodes map[string]*node) {
	t.Helper()
	net, nodes = &pipenet.Network{}, map[string]*node{}
	var peers []chronos.Peer
	for _, name := range names {
		peers = append(peers, chronos.Peer{Node: name, Addr: "addr-" + name})
	}
	type opened struct {
		name string
		n    *node
	}
	ch := make(chan opened)
	dir := t.TempDir()
	for _, name := range names {
		opts := chronos.Options{Dir: dir + "/" + name, Node: name, Cluster: &chronos.Cluster{
			ID: "c", Peers: peers, Listener: net.Listen("addr-" + name), Dial: net.Dialer("addr-" + name),
		}}
		go func() { ch <- opened{name, open(t, chronosprom.Options{}, opts)} }()
	}
	for range names {
		o := <-ch
		nodes[o.name] = o.n
	}
	for _, n := range nodes {
		n.handle("h", func(context.Context, chronos.Execution) error { return nil })
		n.run()
	}
	return net, nodes
}

// What is of one node adds up; what is of the cluster is the same on all; and one that
// is cut off says so.
func TestCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, nodes := cluster(t, "a", "b", "c")
		defer func() {
			done := make(chan bool)
			for _, n := range nodes {
				go func() { n.close(); done <- true }()
			}
			for range nodes {
				<-done
			}
		}()
		var jobs []chronos.Job
		for i := range 10 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("job-%d", i), Handler: "h", Schedule: chronos.Every(time.Minute)})
		}
		if _, err := nodes["b"].PutAll(t.Context(), jobs); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5*time.Minute + 30*time.Second)
		attempts, leading, lead := 0.0, 0.0, ""
		for name, n := range nodes {
			v := n.values()
			attempts += v["chronos_attempts_total{handler=h,reason=,status=succeeded}"]
			leading += v["chronos_leading"]
			if v["chronos_leading"] == 1 {
				lead = name
			}
			n.want(map[string]float64{
				"chronos_executions_total{reason=,status=succeeded}": 50, "chronos_members": 3, "chronos_members_down": 0, "chronos_leader_known": 1,
				"chronos_job_executions_total{job_id=job-3,status=succeeded}": 5, "chronos_applied_lag_entries": 0, "chronos_members_differing": 0,
			})
			if v["chronos_term"] == 0 || v["chronos_applied_index"] == 0 || v["chronos_leader_contact_age_seconds"] > 1 {
				t.Errorf("%s: term %v, applied %v, contact %v", name, v["chronos_term"], v["chronos_applied_index"], v["chronos_leader_contact_age_seconds"])
			}
		}
		if attempts != 50 || leading != 1 {
			t.Fatalf("%v attempts, %v lead", attempts, leading)
		}
		net.Isolate("addr-" + lead)
		time.Sleep(time.Minute)
		for name, n := range nodes {
			down, age := 1.0, 0.0
			if name == lead {
				down, age = 0, 59
			}
			v := n.values()
			if v["chronos_members_down"] != down || v["chronos_leader_contact_age_seconds"] < age {
				t.Errorf("%s: %v members down, contact %v ago", name, v["chronos_members_down"], v["chronos_leader_contact_age_seconds"])
			}
		}
		net.Join("addr-" + lead)
		time.Sleep(30 * time.Second)
	})
}

func tempDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "chronosprom")
	if err != nil {
		panic(err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }
}
