package store

import (
	"math"
	"testing"
)

func TestKeyGeneration(t *testing.T) {
	for _, want := range []uint64{1, 35, 36, 1 << 40, math.MaxUint64} {
		for _, key := range []string{ScheduledKey(-5, want), TargetKey(ScheduledKey(5, want), "a-s7")} {
			if got := KeyGeneration(key); got != want {
				t.Errorf("%s: %d, not %d", key, got, want)
			}
		}
	}
	for _, key := range []string{ExecutionKey(5, Origin_ORIGIN_TRIGGER, "7"), ExecutionKey(5, Origin_ORIGIN_BACKFILL, "7"), "", "x-s", "x-s-1"} {
		if got := KeyGeneration(key); got != 0 {
			t.Errorf("%s: %d", key, got)
		}
	}
}
