package chronosprom

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/chronos-go/chronos"
)

// statusMetric is a number that NodeStatus holds; ok tells if it does.
type statusMetric struct {
	desc  *prometheus.Desc
	value func(st *chronos.NodeStatus, now time.Time) (v float64, ok bool)
}

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

func always(fn func(st *chronos.NodeStatus) float64) func(*chronos.NodeStatus, time.Time) (float64, bool) {
	return func(st *chronos.NodeStatus, _ time.Time) (float64, bool) { return fn(st), true }
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// clustered is for what only a cluster has.
func clustered(fn func(st *chronos.NodeStatus, now time.Time) float64) func(*chronos.NodeStatus, time.Time) (float64, bool) {
	return func(st *chronos.NodeStatus, now time.Time) (float64, bool) {
		if st.Members == nil {
			return 0, false
		}
		return fn(st, now), true
	}
}

// self is what the leader knows of this node.
func self(st *chronos.NodeStatus) (m chronos.Member) {
	for _, m := range st.Members {
		if m.Node == st.Node {
			return m
		}
	}
	return chronos.Member{}
}

var statusMetrics = []statusMetric{
	{gauge("chronos_ready", "1 if the node accepts writes."), always(func(st *chronos.NodeStatus) float64 { return truth(st.Ready) })},
	{gauge("chronos_running", "1 while Run runs: the node takes attempts."), always(func(st *chronos.NodeStatus) float64 { return truth(st.Running) })},
	{gauge("chronos_stopped", "1 if the node has met something that it cannot go on from."), always(func(st *chronos.NodeStatus) float64 { return truth(st.Err != nil) })},
	{gauge("chronos_attempts_running", "Attempts that run on this node."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Attempts) })},
	{gauge("chronos_attempts_assigned", "Attempts that this node holds and whose instant has not come."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Assigned) })},
	{gauge("chronos_attempts_stuck", "Attempts on this node that were given up and whose handlers have not returned."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Stuck) })},
	{gauge("chronos_commands_queued", "Commands of this node that wait to be committed."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Queue) })},
	{gauge("chronos_term", "Raft's term."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Term) })},
	{gauge("chronos_commit_index", "Log entry up to which this node knows the log to be committed."), always(func(st *chronos.NodeStatus) float64 { return float64(st.CommitIndex) })},
	{gauge("chronos_applied_index", "Log entry up to which this node has applied the log."), always(func(st *chronos.NodeStatus) float64 { return float64(st.AppliedIndex) })},
	{gauge("chronos_log_bytes", "Bytes of the log since the newest snapshot."), always(func(st *chronos.NodeStatus) float64 { return float64(st.LogBytes) })},
	{gauge("chronos_records", "Records in the state."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Records) })},
	{gauge("chronos_feature_level", "Feature level in use."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Level) })},
	{gauge("chronos_disk_full", "1 while writes are refused for want of room."), always(func(st *chronos.NodeStatus) float64 { return truth(st.DiskFull) })},
	{gauge("chronos_disk_free_bytes", "Bytes that may still be written to the volume of the directory."), onDisk(func(st *chronos.NodeStatus) uint64 { return st.DiskFree })},
	{gauge("chronos_disk_size_bytes", "Size of the volume of the directory."), onDisk(func(st *chronos.NodeStatus) uint64 { return st.DiskTotal })},

	{gauge("chronos_leading", "1 if this node leads."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 { return truth(st.Leading) })},
	{gauge("chronos_leader_known", "1 if this node knows of a leader."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 { return truth(st.Leader != "") })},
	{gauge("chronos_leader_contact_age_seconds", "Since when this node has had no word of a leader."), clustered(func(st *chronos.NodeStatus, now time.Time) float64 {
		return max(now.Sub(st.LastContact).Seconds(), 0)
	})},
	{gauge("chronos_applied_lag_entries", "Entries that the leader has applied and this node, by its newest beat, has not."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 { return float64(self(st).Behind) })},
	{gauge("chronos_applied_lag_seconds", "How long ago the leader has applied the first of them."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 { return self(st).Delay.Seconds() })},
	{gauge("chronos_members", "Members of the cluster."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 {
		return count(st, func(m chronos.Member) bool { return true })
	})},
	{gauge("chronos_members_down", "Members that were not heard of for their lease."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 {
		return count(st, func(m chronos.Member) bool { return m.Expired })
	})},
	{gauge("chronos_members_differing", "Members whose state is not the leader's."), clustered(func(st *chronos.NodeStatus, _ time.Time) float64 {
		return count(st, func(m chronos.Member) bool { return m.Differs })
	})},

	{gauge("chronos_next_due_timestamp_seconds", "Earliest instant at which something is due."), func(st *chronos.NodeStatus, _ time.Time) (float64, bool) {
		return seconds(st.NextDue), !st.NextDue.IsZero()
	}},
	{gauge("chronos_jobs_overdue", "Jobs that have not succeeded within Job.SucceedWithin, as far as this node knows."), always(func(st *chronos.NodeStatus) float64 { return float64(st.Overdue) })},
	{gauge("chronos_jobs_in_trouble", "Jobs that cannot be scheduled; the leader knows."), always(func(st *chronos.NodeStatus) float64 { return float64(len(st.Trouble)) })},
}

func onDisk(fn func(st *chronos.NodeStatus) uint64) func(*chronos.NodeStatus, time.Time) (float64, bool) {
	return func(st *chronos.NodeStatus, _ time.Time) (float64, bool) { return float64(fn(st)), st.DiskTotal > 0 }
}

func count(st *chronos.NodeStatus, want func(chronos.Member) bool) (n float64) {
	for _, m := range st.Members {
		if !m.Removed && want(m) {
			n++
		}
	}
	return n
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }

var (
	endedDesc = gauge("chronos_executions_total", "Executions that have ended in the cluster, and instants at which nothing ran, since this node began.", "status", "reason")
	queueDesc = gauge("chronos_queue_length", "Executions that are due and wait: for room on a node, for a place of a concurrency key, or for a node that can run them when there is none (nobody).", "waiting")
	ageDesc   = gauge("chronos_queue_age_seconds", "How long the one that is first in line has waited, of the queue where that is longest.", "waiting")
)

var otherDescs = []*prometheus.Desc{endedDesc, queueDesc, ageDesc, jobEndedDesc, truncatedDesc, droppedDesc}

func collectStatus(ch chan<- prometheus.Metric, st chronos.NodeStatus, now time.Time) {
	for _, m := range statusMetrics {
		if v, ok := m.value(&st, now); ok {
			ch <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, v)
		}
	}
	for _, e := range ended(st.Ended) {
		ch <- prometheus.MustNewConstMetric(endedDesc, prometheus.CounterValue, float64(e.Count), string(e.Status), string(e.Reason))
	}
	length, age := queues(st.Waiting, now)
	for waiting := range length {
		ch <- prometheus.MustNewConstMetric(queueDesc, prometheus.GaugeValue, length[waiting], waiting)
		ch <- prometheus.MustNewConstMetric(ageDesc, prometheus.GaugeValue, age[waiting], waiting)
	}
}

// ends are the ways in which executions end, to begin at zero: of a series that
// begins at one, nobody sees that it has increased.
var ends = map[chronos.Status][]chronos.Reason{
	chronos.StatusSucceeded:  {chronos.ReasonNone},
	chronos.StatusFailed:     {chronos.ReasonNone, chronos.ReasonStuck},
	chronos.StatusTimedOut:   {chronos.ReasonNone, chronos.ReasonStuck},
	chronos.StatusLost:       {chronos.ReasonNone, chronos.ReasonShutdown},
	chronos.StatusCanceled:   {chronos.ReasonRequest, chronos.ReasonOverlap, chronos.ReasonDeleted},
	chronos.StatusTerminated: {chronos.ReasonRequest, chronos.ReasonOverlap},
	chronos.StatusSkipped:    {chronos.ReasonOverlap, chronos.ReasonPaused},
	chronos.StatusMissed: {
		chronos.ReasonCatchUp, chronos.ReasonCatchUpMax, chronos.ReasonWindow, chronos.ReasonDeadline,
		chronos.ReasonEdit, chronos.ReasonDeleted, chronos.ReasonZone, chronos.ReasonNode,
	},
	chronos.StatusDropped: {chronos.ReasonBuffer},
}

// ended adds to what was counted what was not.
func ended(counted []chronos.Ended) []chronos.Ended {
	out := slices.Clone(counted)
	for status, reasons := range ends {
		for _, reason := range reasons {
			if !slices.ContainsFunc(counted, func(e chronos.Ended) bool { return e.Status == status && e.Reason == reason }) {
				out = append(out, chronos.Ended{Status: status, Reason: reason})
			}
		}
	}
	return out
}

// queues sums up what waits, by what for: there may be any number of keys.
func queues(waiting []chronos.Backlog, now time.Time) (length, age map[string]float64) {
	length = map[string]float64{"room": 0, "key": 0, "nobody": 0}
	age = map[string]float64{}
	for _, b := range waiting {
		what := "room"
		switch {
		case b.Key != "":
			what = "key"
		case b.Nobody:
			what = "nobody"
		}
		length[what] += float64(b.Count)
		if !b.Since.IsZero() {
			age[what] = max(age[what], now.Sub(b.Since).Seconds())
		}
	}
	return length, age
}
