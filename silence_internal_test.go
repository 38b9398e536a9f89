package chronos

import (
	"testing"
	"time"
)

// look has a leader look at one node each 250 ms, and tells how often it was held,
// when it was taken back for the last time, and if it is held at the end. heard
// says when its newest beat came.
func look(p *patience, d time.Duration, heard func(at time.Duration) time.Duration) (holds int, back time.Duration, held bool) {
	const lease = 5 * time.Second
	begun := time.Now()
	for at := time.Duration(0); at < d; at += lease / looksPerLease {
		silent := at-heard(at) > lease*lateBeats/2/beatsPerLease
		now := p.judge(begun.Add(at), silent, held, lease)
		if now && !held {
			holds++
		}
		if !now && held {
			back = at
		}
		held = now
	}
	return holds, back, held
}

// every is a node whose beats come in a period.
func every(period time.Duration) func(time.Duration) time.Duration {
	return func(at time.Duration) time.Duration { return at - at%period }
}

// A node whose beats come late is not taken back and held with each of them: it has
// to be steady for longer and longer. One that was silent once is taken back at once.
func TestPatience(t *testing.T) {
	if holds, _, _ := look(&patience{}, time.Minute, every(500*time.Millisecond)); holds != 0 {
		t.Errorf("one that beats in time was held %d times", holds)
	}
	if holds, _, _ := look(&patience{}, time.Minute, every(time.Second)); holds != 0 {
		t.Errorf("one that leaves out each second beat was held %d times", holds)
	}
	holds, _, _ := look(&patience{}, 10*time.Minute, every(1600*time.Millisecond))
	if holds > 3 {
		t.Errorf("one whose beats come each 1.6 s was held %d times in ten minutes", holds)
	}
	once := func(at time.Duration) time.Duration {
		if at > 10*time.Second && at < 14*time.Second {
			return 10 * time.Second
		}
		return at
	}
	if holds, back, held := look(&patience{}, time.Minute, once); holds != 1 || back != 14*time.Second || held {
		t.Errorf("silent for 4 s: held %d times, back at %v, held now %v", holds, back, held)
	}
	each := func(at time.Duration) time.Duration { // silent for 3 s of each 20
		if into := at % (20 * time.Second); into < 3*time.Second {
			return at - into
		}
		return at
	}
	holds, _, _ = look(&patience{}, 10*time.Minute, each)
	if holds > 8 {
		t.Errorf("one that is silent again and again was held %d times in 30", holds)
	}
}
