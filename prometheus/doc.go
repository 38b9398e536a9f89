// Package chronosprom shows Prometheus how a scheduler is: how late executions begin
// and how long they take, how they end, what waits and for how long, which jobs fail
// or are overdue, and how the node is.
//
//	c := chronosprom.New(chronosprom.Options{})
//	s, err := chronos.New(chronos.Options{Dir: "data", Around: []chronos.Around{c.Around}})
//	if err != nil {
//		return err
//	}
//	c.Observe(s)
//	prometheus.MustRegister(c)
//
// Some metrics are of one node: add them up over the instances. Others are of the
// whole cluster, and each node tells the same as far as it has applied the log: take the
// maximum. docs/telemetry.md says which is which; grafana.json is a dashboard and
// alerts.yml are rules to begin with.
//
// The number of series is bounded: by the handlers that the host has registered,
// and by Options.MaxJobs for those of single jobs.
package chronosprom
