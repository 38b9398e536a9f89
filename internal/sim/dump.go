package sim

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/store"
)

// dumps is what the nodes say at the end, by name.
type dumps struct {
	at     int64
	nodes  []string
	byNode map[string]map[string]*jobDump
}

// jobDump is one job, with what it was and what it ran.
type jobDump struct {
	exists   bool
	job      chronos.Job
	versions []chronos.Version
	rows     []chronos.Execution // oldest first
}

func (w *world) dumpAll() *dumps {
	d := &dumps{at: now(), byNode: map[string]map[string]*jobDump{}}
	ids := w.jobs()
	for _, p := range w.up() {
		if err := p.s.Sync(context.Background()); err != nil {
			w.log.fault("stuck", "", now(), "%s cannot synchronize: %v", p, err)
			return nil
		}
		jobs := map[string]*jobDump{}
		for _, id := range ids {
			j, err := dumpJob(p.s, id)
			if err != nil {
				w.log.fault("read", id, now(), "%s: %v", p, err)
				return nil
			}
			jobs[id] = j
		}
		d.nodes = append(d.nodes, p.name)
		d.byNode[p.name] = jobs
		if err := p.s.Status().Err; err != nil {
			w.log.fault("stopped", "", now(), "%s has stopped itself: %v", p, err)
		}
		for job, trouble := range p.s.Status().Trouble {
			w.log.fault("trouble", job, now(), "%s", trouble)
		}
	}
	slices.Sort(d.nodes)
	w.digests()
	return d
}

// jobs lists every job that a call was about.
func (w *world) jobs() (out []string) {
	w.log.mu.Lock()
	defer w.log.mu.Unlock()
	seen := map[string]bool{}
	for _, c := range w.log.calls {
		if c.op == "put" && !seen[c.job] {
			seen[c.job] = true
			out = append(out, c.job)
		}
	}
	slices.Sort(out)
	return out
}

func dumpJob(s *chronos.Scheduler, id string) (*jobDump, error) {
	ctx, d := context.Background(), &jobDump{}
	job, err := s.Get(ctx, id)
	switch {
	case err == nil:
		d.exists, d.job = true, job
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
		d.versions = append(d.versions, v)
	}
	for x, err := range s.Executions(ctx, chronos.Query{Job: id}) {
		if err != nil {
			return nil, err
		}
		d.rows = append(d.rows, x)
	}
	slices.Reverse(d.rows)
	return d, nil
}

// digests compares the states of all nodes, byte by byte: the sum over all records
// that each keeps, at the same index of the log, which is computed anew here.
func (w *world) digests() {
	type state struct {
		index, digest, records uint64
	}
	states := map[string]state{}
	for range 50 { // somebody may still have to hear of the newest entry
		clear(states)
		w.rest(func() {
			for _, p := range w.up() {
				st, err := digest(w.newDir("digest"), p.dir)
				if err != nil {
					w.log.fault("digest", "", now(), "%s: %v", p, err)
				}
				states[p.name] = state{st.GetIndex(), st.GetDigest(), st.GetRecords()}
			}
		})
		if same(states) {
			w.log.count("digests compared", len(states))
			return
		}
		time.Sleep(w.pro.Commit + w.pro.Heartbeat)
	}
	w.log.fault("digest", "", now(), "the nodes' states differ: %+v", states)
}

func same[T comparable](m map[string]T) bool {
	var first *T
	for _, v := range m {
		if first == nil {
			first = &v
		}
		if *first != v {
			return false
		}
	}
	return true
}

// digest opens a copy of a state and adds up its records.
func digest(copied, dir string) (*store.Applied, error) {
	if err := copyTree(dir, copied); err != nil {
		return nil, err
	}
	defer os.RemoveAll(copied)
	guard, err := store.NewGuard(copied, store.GuardOptions{Reserve: -1, Free: func(string) (uint64, uint64, error) { return plenty, plenty, nil }})
	if err != nil {
		return nil, err
	}
	st, err := store.Open(store.Options{Dir: copied, Guard: guard, NoCompaction: true, NoSync: true})
	if err != nil {
		return nil, fmt.Errorf("its state does not open: %w", err)
	}
	applied := st.Applied()
	return applied, errors.Join(st.Verify(context.Background()), st.Close())
}
