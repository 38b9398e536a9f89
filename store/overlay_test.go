package store

import (
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
