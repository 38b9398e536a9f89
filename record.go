package chronos

import (
	"maps"
	"slices"
	"time"

	"github.com/chronos-go/chronos/dispatch"
	"github.com/chronos-go/chronos/internal/schedule"
	"github.com/chronos-go/chronos/raftfsm"
	"github.com/chronos-go/chronos/store"
)

var (
	overlapNames = map[store.Overlap]Overlap{
		store.Overlap_OVERLAP_SKIP: OverlapSkip, store.Overlap_OVERLAP_BUFFER_ONE: OverlapBufferOne,
		store.Overlap_OVERLAP_BUFFER_ALL: OverlapBufferAll, store.Overlap_OVERLAP_CANCEL_OTHER: OverlapCancelOther,
		store.Overlap_OVERLAP_TERMINATE_OTHER: OverlapTerminateOther, store.Overlap_OVERLAP_ALLOW_ALL: OverlapAllowAll,
	}
	misfireNames = map[store.Misfire]Misfire{
		store.Misfire_MISFIRE_LATEST: MisfireLatest, store.Misfire_MISFIRE_EARLIEST: MisfireEarliest,
		store.Misfire_MISFIRE_ALL: MisfireAll, store.Misfire_MISFIRE_SKIP: MisfireSkip,
	}
	deliveryNames = map[store.Delivery]Delivery{
		store.Delivery_DELIVERY_AT_LEAST_ONCE: AtLeastOnce, store.Delivery_DELIVERY_AT_MOST_ONCE: AtMostOnce,
	}
)

// code finds the stored value of a policy's name; the empty name is the default.
func code[C ~int32, N ~string](names map[C]N, name N) (C, bool) {
	if name == "" {
		return 0, true
	}
	for c, n := range names {
		if n == name {
			return c, true
		}
	}
	return 0, false
}

// definition is what of a valid job is stored, with every default filled in, so
// that two ways to say the same are one definition. Secrets that are to be kept
// come from old.
func (j *Job) definition(old *store.Definition) *store.Definition {
	overlap, _ := code(overlapNames, j.Overlap)
	misfire, _ := code(misfireNames, j.Misfire)
	delivery, _ := code(deliveryNames, j.Delivery)
	def := &store.Definition{
		Schedule: j.Schedule.String(), Handler: j.Handler, Payload: j.Payload, Description: j.Description,
		Labels: labelRecords(j.Labels), Overlap: overlap, Misfire: misfire, Delivery: delivery,
		CatchUpWindow: int64(j.CatchUpWindow), StartDeadline: int64(j.StartDeadline), Timeout: int64(j.Timeout),
		Priority: int32(j.Priority), MaxRuns: int64(j.MaxRuns), RemoveAfter: j.RemoveAfter,
		PauseOnFailure: j.PauseOnFailure, SucceedWithin: int64(j.SucceedWithin), KeepAge: int64(j.Retention.Age), KeepCount: int64(j.Retention.Count),
		Retry:      j.Retry.record(),
		NodeLabels: labelRecords(j.Placement.Labels), EveryNode: j.Placement.EveryNode, Sticky: j.Placement.Sticky,
	}
	if j.Concurrency.Key != "" {
		def.ConcurrencyKey, def.ConcurrencyLimit = j.Concurrency.Key, int64(orDefault(j.Concurrency.Limit, 1))
	}
	if overlap == store.Overlap_OVERLAP_BUFFER_ALL {
		def.BufferMax = int64(orDefault(j.BufferMax, bufferMax))
	}
	if misfire == store.Misfire_MISFIRE_ALL {
		def.CatchUpMax = int64(orDefault(j.CatchUpMax, catchUpDefault))
		def.CatchUpWindow = int64(orDefault(j.CatchUpWindow, 24*time.Hour))
	}
	if specs := j.Schedule.specs; len(specs) == 1 && specs[0].Kind == schedule.KindAfter {
		spec := specs[0]
		def.FixedDelay = int64(spec.Period)
		if !spec.Until.IsZero() {
			def.Until = spec.Until.UnixNano()
		}
	}
	if j.Webhook != nil {
		def.Webhook = j.Webhook.record(old.GetWebhook())
	}
	if len(def.Payload) == 0 {
		def.Payload = nil
	}
	return def
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}

func (r Retry) record() *store.Retry {
	return &store.Retry{
		MaxAttempts: int32(orDefault(r.MaxAttempts, 1)), Initial: int64(orDefault(r.Initial, time.Second)),
		Multiplier: orDefault(r.Multiplier, 2), Max: int64(orDefault(r.Max, max(r.Initial, time.Hour))),
		MaxElapsed: int64(r.MaxElapsed), NoJitter: r.NoJitter,
	}
}

func labelRecords(labels map[string]string) []*store.Label {
	if len(labels) == 0 { // as with most jobs
		return nil
	}
	out := make([]*store.Label, 0, len(labels))
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		out = append(out, &store.Label{Key: k, Value: labels[k]})
	}
	return out
}

func labelsFrom(labels []*store.Label) map[string]string {
	if len(labels) == 0 {
		return nil
	}
	out := make(map[string]string, len(labels))
	for _, l := range labels {
		out[l.Key] = l.Value
	}
	return out
}

func (w *Webhook) record(old *store.Webhook) *store.Webhook {
	rec := &store.Webhook{
		Url: w.URL, Method: orDefault(w.Method, "POST"), BasicUser: w.BasicUser,
		BasicPassword: w.BasicPassword.or(old.GetBasicPassword()), Bearer: w.Bearer.or(old.GetBearer()),
		MaxResponse: int64(w.MaxResponse), FollowRedirects: int32(w.FollowRedirects),
		PauseOnGone: w.PauseOnGone, ContentType: w.ContentType,
	}
	for _, k := range slices.Sorted(maps.Keys(w.Headers)) {
		rec.Headers = append(rec.Headers, &store.Header{Name: k, Value: w.Headers[k]})
	}
	for _, k := range slices.Sorted(maps.Keys(w.SecretHeaders)) {
		rec.SecretHeaders = append(rec.SecretHeaders, &store.Header{Name: k, Value: w.SecretHeaders[k].or(headerValue(old.GetSecretHeaders(), k))})
	}
	kept := old.GetSecrets() // in order: checkKept has counted them
	for _, s := range w.Secrets {
		if s == SecretKept && len(kept) > 0 {
			s, kept = Secret(kept[0]), kept[1:]
		}
		rec.Secrets = append(rec.Secrets, s.or(""))
	}
	for _, c := range w.SuccessCodes {
		rec.SuccessCodes = append(rec.SuccessCodes, int32(c))
	}
	return rec
}

func headerValue(headers []*store.Header, name string) string {
	for _, h := range headers {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func (s Secret) or(kept string) string {
	if s == SecretKept {
		return kept
	}
	return string(s)
}

func hidden(s string) Secret {
	if s == "" {
		return ""
	}
	return SecretKept
}

// jobFrom reads a stored definition, without its secrets.
func (s *Scheduler) jobFrom(id string, def *store.Definition) Job {
	var sched Schedule
	if specs, err := s.schedules.Specs(def.Schedule); err == nil && def.Schedule != "" {
		sched = newSchedule(nil, specs...)
	} // one that no longer parses is the planner's trouble, and shown there
	sched.owner = id
	j := Job{
		ID: id, Schedule: sched, Handler: def.Handler, Payload: def.Payload, Description: def.Description,
		Labels: labelsFrom(def.Labels), Overlap: overlapNames[def.Overlap], BufferMax: int(def.BufferMax),
		Misfire: misfireNames[def.Misfire], CatchUpMax: int(def.CatchUpMax), CatchUpWindow: time.Duration(def.CatchUpWindow),
		StartDeadline: time.Duration(def.StartDeadline), Delivery: deliveryNames[def.Delivery],
		Timeout: time.Duration(def.Timeout), Priority: int(def.Priority), MaxRuns: int(def.MaxRuns),
		RemoveAfter: def.RemoveAfter, PauseOnFailure: def.PauseOnFailure, SucceedWithin: time.Duration(def.SucceedWithin),
		Retention:   Retention{Age: time.Duration(def.KeepAge), Count: int(def.KeepCount)},
		Placement:   Placement{Labels: labelsFrom(def.NodeLabels), EveryNode: def.EveryNode, Sticky: def.Sticky},
		Concurrency: Concurrency{Key: def.ConcurrencyKey, Limit: int(def.ConcurrencyLimit)},
	}
	if r := def.Retry; r != nil {
		j.Retry = Retry{
			MaxAttempts: int(r.MaxAttempts), Initial: time.Duration(r.Initial), Multiplier: r.Multiplier,
			Max: time.Duration(r.Max), MaxElapsed: time.Duration(r.MaxElapsed), NoJitter: r.NoJitter,
		}
	}
	if def.Webhook != nil {
		j.Webhook = webhookFrom(def.Webhook)
	}
	return j
}

func webhookFrom(rec *store.Webhook) *Webhook {
	w := &Webhook{
		URL: rec.Url, Method: rec.Method, BasicUser: rec.BasicUser, BasicPassword: hidden(rec.BasicPassword),
		Bearer: hidden(rec.Bearer), MaxResponse: int(rec.MaxResponse), FollowRedirects: int(rec.FollowRedirects),
		PauseOnGone: rec.PauseOnGone, ContentType: rec.ContentType,
	}
	if len(rec.Headers) > 0 {
		w.Headers = make(map[string]string, len(rec.Headers))
	}
	for _, h := range rec.Headers {
		w.Headers[h.Name] = h.Value
	}
	if len(rec.SecretHeaders) > 0 {
		w.SecretHeaders = make(map[string]Secret, len(rec.SecretHeaders))
	}
	for _, h := range rec.SecretHeaders {
		w.SecretHeaders[h.Name] = hidden(h.Value)
	}
	for _, s := range rec.Secrets {
		w.Secrets = append(w.Secrets, hidden(s))
	}
	for _, c := range rec.SuccessCodes {
		w.SuccessCodes = append(w.SuccessCodes, int(c))
	}
	return w
}

// dispatchWebhook is the request as the dispatcher makes it, secrets and all.
func dispatchWebhook(rec *store.Webhook) *dispatch.Webhook {
	w := &dispatch.Webhook{
		URL: rec.Url, Method: rec.Method, BasicUser: rec.BasicUser, BasicPassword: rec.BasicPassword,
		Bearer: rec.Bearer, Secrets: rec.Secrets, MaxResponse: int(rec.MaxResponse),
		FollowRedirects: int(rec.FollowRedirects), PauseOnGone: rec.PauseOnGone, ContentType: rec.ContentType,
		Headers: map[string]string{}, SecretHeaders: map[string]string{},
	}
	for _, h := range rec.Headers {
		w.Headers[h.Name] = h.Value
	}
	for _, h := range rec.SecretHeaders {
		w.SecretHeaders[h.Name] = h.Value
	}
	for _, c := range rec.SuccessCodes {
		w.SuccessCodes = append(w.SuccessCodes, int(c))
	}
	return w
}

// stateFrom reads what the scheduler knows of a job beside its definition, at an instant.
func stateFrom(rec *store.Job, st *store.Schedule, now time.Time) JobState {
	out := JobState{
		CreatedAt: instant(rec.CreatedAt), UpdatedAt: instant(rec.UpdatedAt), Actor: rec.Actor, Generation: rec.Generation,
	}
	if st == nil {
		return out
	}
	out.Paused, out.PausedBy, out.PauseNote, out.PausedAt = st.Paused, st.PauseActor, st.PauseNote, instant(st.PausedAt)
	out.NextDue, out.LastDue, out.Exhausted = instant(st.NextDue), instant(st.LastDue), st.Exhausted
	out.Runs, out.Unfinished, out.Buffered = int(st.Runs), int(st.Active), len(st.Buffer)
	out.Failures, out.LastStatus = int(st.Failures), statusNames[st.LastStatus]
	out.LastEnd, out.LastSuccess = instant(st.LastEnd), instant(st.LastSuccess)
	out.SucceedBy = instant(raftfsm.SucceedBy(rec.Definition, st))
	out.Overdue = !out.SucceedBy.IsZero() && now.After(out.SucceedBy)
	return out
}
