package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestOverlay: what a transaction knows from those before it is what the tables say,
// whether they were committed or discarded, and however little is remembered.
func TestOverlay(t *testing.T) {
	for _, turn := range []int{0, 2_000, overlayTurn} {
		t.Run(fmt.Sprint(turn), func(t *testing.T) {
			s := open(t, Options{InMemory: true})
			s.gen.overlay.turn = turn
			rnd := rand.New(rand.NewPCG(1, uint64(turn)))
			want := map[string]uint64{}
			for n := range uint64(400) {
				tx := s.Begin()
				wrote := map[string]uint64{}
				for range rnd.IntN(6) {
					job := fmt.Sprintf("job-%02d", rnd.IntN(30))
					version := n + 1
					if rnd.IntN(4) == 0 {
						version = 0
					}
					wrote[job] = version
					if err := write(tx, job, version); err != nil {
						t.Fatal(err)
					}
				}
				if rnd.IntN(3) == 0 {
					tx.Discard()
				} else {
					tx.Applied().Index++
					if err := tx.Commit(); err != nil {
						t.Fatal(err)
					}
					for job, v := range wrote {
						want[job] = v
					}
				}
				same(t, s, want)
			}
			if err := s.Verify(t.Context()); err != nil {
				t.Fatal(err) // the digest goes by what was there before
			}
		})
	}
}

func write(tx *Tx, job string, version uint64) error {
	if version == 0 {
		return tx.DeleteJob(job)
	}
	return tx.PutJob(job, &Job{Version: version})
}

// same checks what a transaction and a reader see.
func same(t *testing.T, s *Store, want map[string]uint64) {
	t.Helper()
	tx := s.Begin()
	defer tx.Discard()
	for i := range 30 {
		job := fmt.Sprintf("job-%02d", i)
		j, err := tx.Job(job)
		if err != nil || j.GetVersion() != want[job] {
			t.Fatalf("tx: %s: %v, %v; want version %d", job, j, err, want[job])
		}
		err = s.View(func(r *Reader) error {
			j, err = r.Job(job)
			return err
		})
		if err != nil || j.GetVersion() != want[job] {
			t.Fatalf("view: %s: %v, %v; want version %d", job, j, err, want[job])
		}
	}
}

// TestOverlayMemory: what is remembered is bounded, values that were written included.
func TestOverlayMemory(t *testing.T) {
	const turn = 1 << 20
	s := open(t, Options{InMemory: true})
	o := s.live().overlay
	o.turn = turn
	for round := range 400 {
		change(t, s, func(tx *Tx) error {
			for i := range 100 { // most of them once more
				if err := tx.PutPayload("j", fmt.Sprint(round*25+i), make([]byte, 1_000)); err != nil {
					return err
				}
			}
			return nil
		})
		if size := remembered(o); size > 9*turn/4 {
			t.Fatalf("%d bytes where two turns are %d", size, 2*turn)
		}
	}
}

func remembered(o *overlay) (bytes int) {
	for _, s := range o.segments {
		for _, m := range []map[string]*cell{s.young, s.old} {
			for _, c := range m {
				bytes += 2*len(c.key) + len(c.value) + 200
			}
		}
	}
	return bytes
}

// TestOverlayCountsJobs: a decoded job counts in each turn that it is taken along to.
func TestOverlayCountsJobs(t *testing.T) {
	s := open(t, Options{InMemory: true})
	s.live().overlay.turn = 1 // a turn for each transaction
	jobs(t, s, 0, 1)
	for n := range 3 {
		tx := s.Begin()
		if _, err := tx.Job("job-000000"); err != nil {
			t.Fatal(err)
		}
		if size := tx.overlay.size; size < 5*100 {
			t.Errorf("turn %d: counted as %d bytes", n, size)
		}
		tx.Discard()
	}
}

// TestOverlayForgets: what is gone and what has ended is not remembered, and does not count;
// what a discarded transaction said of an end is not believed.
func TestOverlayForgets(t *testing.T) {
	s := open(t, Options{InMemory: true})
	o := s.live().overlay
	at := DueEntry{At: 1, Kind: DueTick, Job: "j"}
	pending, ended := &Execution{Status: Status_STATUS_PENDING}, &Execution{Status: Status_STATUS_SUCCEEDED}
	change(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutExecution("j", "x", pending), tx.PutDue(at))
	})
	if n, size := len(o.segments[prefixExecutions].young), o.size; n != 1 || size < 2*200 {
		t.Fatalf("%d executions, %d bytes", n, size)
	}
	tx := s.Begin()
	if err := tx.PutExecution("j", "x", ended); err != nil {
		t.Fatal(err)
	}
	tx.Discard()
	if n := len(o.segments[prefixExecutions].young); n != 1 {
		t.Fatalf("%d executions after a discarded transaction", n)
	}
	change(t, s, func(tx *Tx) error { // it ends, and begins again: not every end is one
		return errors.Join(tx.PutExecution("j", "x", ended), tx.PutExecution("j", "x", pending))
	})
	if n := len(o.segments[prefixExecutions].young); n != 1 {
		t.Fatalf("%d executions that are pending", n)
	}
	change(t, s, func(tx *Tx) error {
		return errors.Join(tx.PutExecution("j", "x", ended), tx.DeleteDue(at))
	})
	if size := remembered(o); size != 0 || o.size != 0 {
		t.Errorf("%d bytes are remembered, %d counted", size, o.size)
	}
	tx = s.Begin()
	defer tx.Discard()
	if x, err := tx.Execution("j", "x"); err != nil || x.GetStatus() != Status_STATUS_SUCCEEDED {
		t.Errorf("read as %v, %v", x, err)
	}
}
