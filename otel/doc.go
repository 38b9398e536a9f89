// Package chronosotel gives a scheduler's attempts spans, and its numbers to
// OpenTelemetry. It knows OpenTelemetry's API only: which SDK, and where to, is the
// host's to say.
//
//	t, err := chronosotel.New(chronosotel.Options{}) // the global providers
//	if err != nil {
//		return err
//	}
//	s, err := chronos.New(chronos.Options{Dir: "data", Around: []chronos.Around{t.Around}})
//	if err != nil {
//		return err
//	}
//	err = t.Observe(s)
//
// Every attempt is a span of its own, of a trace of its own, because hours may lie
// between two of them; it is linked to the attempt before it. A handler finds its span in
// its context, and a webhook's request carries it (traceparent). Where the attempts of
// an execution shall be one trace, and links shall hold over nodes and restarts, too,
// give the SDK's tracer provider the IDs of this package: [NewIDs].
//
// docs/telemetry.md lists spans and metrics. The number of series is bounded: by the
// handlers that the host has registered, and by Options.MaxJobs for those of single
// jobs.
package chronosotel
