package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// TestAtOnce: commits, flushes, snapshots, restores and readers at once. Every view sums
// up to its digest, and walked backwards it is what it is forwards.
func TestAtOnce(t *testing.T) {
	for name, o := range map[string]Options{
		"memory": {InMemory: true},
		"disk":   {Dir: fastDir(t), NoSync: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, o)
			ctx, stop := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			begin := func(turn func() error) {
				wg.Go(func() {
					for ctx.Err() == nil {
						if err := turn(); err != nil && ctx.Err() == nil {
							t.Error(err)
							stop()
						}
					}
				})
			}
			for range 2 {
				begin(func() error { return s.View(func(r *Reader) error { return wellFormed(ctx, r) }) })
			}
			begin(s.Flush)
			begin(func() error { return roundTrip(s) })
			random := rand.New(rand.NewPCG(1, 2))
			turns := 500
			if testing.Short() {
				turns = 50
			}
			for range turns {
				err := commitRandom(s, random)
				for ; errors.Is(err, errTxOpen); err = commitRandom(s, random) { // a restore is under way
					runtime.Gosched()
				}
				if err != nil {
					t.Error(err)
					break
				}
			}
			stop()
			wg.Wait()
			closeStore(t, s)
		})
	}
}

// commitRandom changes some jobs; now and then it leaves all as it was.
func commitRandom(s *Store, random *rand.Rand) error {
	tx := s.Begin()
	defer tx.Discard()
	for range random.IntN(400) {
		id := fmt.Sprintf("j%04d", random.IntN(3000))
		var err error
		switch random.IntN(10) {
		case 0, 1, 2:
			err = tx.Delete(jobKey(id))
		case 3:
			_, err = tx.Job(id)
		default:
			err = tx.PutJob(id, &Job{Version: random.Uint64(), Note: fmt.Sprint(random.Uint64())})
		}
		if err != nil {
			return err
		}
	}
	if random.IntN(20) == 0 {
		return nil
	}
	tx.Applied().Index++
	return tx.Commit()
}

// roundTrip restores the store from a snapshot of itself.
func roundTrip(s *Store) error {
	snapshot := s.Snapshot()
	var b bytes.Buffer
	_, err := snapshot.WriteTo(&b)
	snapshot.Release()
	if err != nil {
		return err
	}
	if err := s.Restore(&b); !errors.Is(err, errTxOpen) {
		return err
	}
	return nil // a transaction was faster
}

// wellFormed looks at all records of a view in both directions.
func wellFormed(ctx context.Context, r *Reader) error {
	if err := r.verify(ctx); err != nil {
		return err
	}
	var up, down []string
	collect := func(list *[]string) func([]byte, func(Message) error) (bool, error) {
		return func(key []byte, _ func(Message) error) (bool, error) {
			*list = append(*list, string(key))
			return true, nil
		}
	}
	if err := r.Scan([]byte(prefixJobs), nil, collect(&up)); err != nil {
		return err
	}
	if err := r.ScanReverse([]byte(prefixJobs), nil, collect(&down)); err != nil {
		return err
	}
	slices.Reverse(down)
	if !slices.Equal(up, down) || uint64(len(up)) != r.view.applied.Records {
		return fmt.Errorf("%d forwards, %d backwards, %d by the count", len(up), len(down), r.view.applied.Records)
	}
	return nil
}
