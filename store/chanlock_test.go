package store

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
)

// TestSimulatedClockGoesOn: on a simulated clock, too, a commit that waits for a flush
// lets the time come that Badger's compactors wait for.
func TestSimulatedClockGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Options{InMemory: true})
		random := rand.NewChaCha8([32]byte{})
		for n := range 400 {
			change(t, s, func(tx *Tx) error {
				for k := range 8 {
					b := make([]byte, 60<<10)
					_, _ = random.Read(b)
					if err := tx.PutPayload(fmt.Sprint("j", n), fmt.Sprint(k), b); err != nil {
						return err
					}
				}
				return nil
			})
		}
	})
}
