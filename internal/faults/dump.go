package faults

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

// dump is everything the public API tells of a directory.
type dump struct {
	At   int64
	Jobs map[string]*jobDump
}

// jobDump is one job, with what it was and what it ran.
type jobDump struct {
	Exists            bool
	Version           uint64
	Payload           string
	Paused            bool
	PausedBy          string
	PausedAt, NextDue int64
	Versions          []versionDump
	Rows              []rowDump // oldest first
}

type versionDump struct {
	Number  uint64
	At      int64
	Actor   string
	Deleted bool
	Payload string
}

type rowDump struct {
	ID              string
	Gen, Version    uint64
	Due, To         int64
	Count           int
	Floor           bool
	Origin          chronos.Origin
	Status          chronos.Status
	Reason          chronos.Reason
	Attempt, Elided int
	Token           uint64
	Tokens          []uint64
	Ends            []chronos.Status // of those attempts
	Overs           []int64          // and when
	Node            string
	LastAttempt     chronos.Status
	Key, Actor      string
	Created, Ended  int64
}

func (r rowDump) String() string {
	s := fmt.Sprintf("%s row gen %d %s %s %s attempt %d token %d, created %s, version %d",
		clock(r.Due), r.Gen, r.Origin, r.Status, r.Reason, r.Attempt, r.Token, clock(r.Created), r.Version)
	if r.Count > 1 {
		s += fmt.Sprintf(", %d instants to %s", r.Count, clock(r.To))
	}
	return s
}

func clock(ns int64) string {
	if ns == 0 {
		return "-"
	}
	return time.Unix(0, ns).UTC().Format("15:04:05.000")
}

// dump reads everything and writes it to a file, whole or not at all.
func (c *child) dump(path string) error {
	ids, err := c.jobIDs()
	if err != nil {
		return err
	}
	return c.dumpJobs(path, ids)
}

func (c *child) dumpJobs(path string, ids []string) (err error) {
	out := dump{At: time.Now().UnixNano(), Jobs: map[string]*jobDump{}}
	for _, id := range ids {
		if out.Jobs[id], err = dumpJob(c.s, id); err != nil {
			return fmt.Errorf("job %s: %w", id, err)
		}
	}
	text, err := json.Marshal(out)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".tmp", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// jobIDs are the jobs there are, and those that the journal says there were.
func (c *child) jobIDs() ([]string, error) {
	seen := map[string]bool{}
	for j, err := range c.s.Jobs(context.Background(), nil) {
		if err != nil {
			return nil, err
		}
		seen[j.ID] = true
	}
	journal, err := readJournal(c.cfg.Journal)
	if err != nil {
		return nil, err
	}
	for _, e := range journal {
		if e.Job != "" {
			seen[e.Job] = true
		}
	}
	ids := make([]string, 0, len(seen))
	for id := range seen {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids, nil
}

func dumpJob(s *chronos.Scheduler, id string) (*jobDump, error) {
	ctx := context.Background()
	out := &jobDump{}
	j, err := s.Get(ctx, id)
	switch {
	case err == nil:
		out.Exists, out.Version, out.Payload = true, j.Version, string(j.Payload)
		out.Paused, out.PausedBy = j.State.Paused, j.State.PausedBy
		out.PausedAt, out.NextDue = nanos(j.State.PausedAt), nanos(j.State.NextDue)
	case !errors.Is(err, chronos.ErrNotFound):
		return nil, err
	}
	for v, err := range s.Versions(ctx, id) {
		if errors.Is(err, chronos.ErrNotFound) {
			break
		}
		if err != nil {
			return nil, err
		}
		out.Versions = append(out.Versions, versionDump{
			Number: v.Number, At: nanos(v.At), Actor: v.Actor, Deleted: v.Deleted, Payload: string(v.Job.Payload),
		})
	}
	for x, err := range s.Executions(ctx, chronos.Query{Job: id}) {
		if err != nil {
			return nil, err
		}
		out.Rows = append(out.Rows, rowFrom(x))
	}
	slices.Reverse(out.Rows)
	return out, nil
}

func rowFrom(x chronos.Execution) rowDump {
	r := rowDump{
		ID: x.ID, Gen: x.Generation, Version: x.Version, Due: nanos(x.Due), To: nanos(x.RangeTo), Count: x.Count,
		Floor: x.CountIsFloor, Origin: x.Origin, Status: x.Status, Reason: x.Reason, Attempt: x.Attempt,
		Elided: x.Elided, Token: x.FencingToken, Node: x.Node, Key: x.Key, Actor: x.Actor,
		Created: nanos(x.CreatedAt), Ended: nanos(x.EndedAt),
	}
	for _, a := range x.Attempts {
		r.Tokens, r.Ends = append(r.Tokens, a.FencingToken), append(r.Ends, a.Status)
		r.Overs = append(r.Overs, nanos(a.Ended))
		r.LastAttempt = a.Status
	}
	return r
}

func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func readDump(path string) (*dump, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var d dump
	return &d, json.Unmarshal(text, &d)
}

// differences says in what two dumps are not the same; the probe does not count.
func differences(want, got *dump) string {
	var out []string
	for id, a := range want.Jobs {
		text := func(j *jobDump) string {
			b, _ := json.Marshal(j)
			return string(b)
		}
		if b := got.Jobs[id]; b == nil {
			out = append(out, "job "+id+" is missing")
		} else if x, y := text(a), text(b); x != y && id != "probe" {
			out = append(out, fmt.Sprintf("job %s:\n  want %.400s\n  got  %.400s", id, x, y))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}
