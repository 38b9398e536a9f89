package sim

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	seedFlag    = flag.Uint64("seed", 1, "the first seed")
	countFlag   = flag.Int("seeds", 3, "how many seeds")
	repeatFlag  = flag.Int("repeat", 1, "how often each seed is run: the plan is the same, the run is not")
	hoursFlag   = flag.Float64("hours", 0, "length of each simulation; 0: the profile's")
	profileFlag = flag.String("profile", "", "dense, medium, sparse, quiet or month; empty: drawn from the seed")
	nodesFlag   = flag.Int("nodes", 0, "1, 3 or 5; 0: drawn from the seed")
	forFlag     = flag.Duration("for", 0, "go on with further seeds for this long")
	liesFlag    = flag.Duration("lies", 0, "the control: what a kill leaves behind is up to so old")
	shorterFlag = flag.Bool("shorter", false, "only profiles of minutes and hours are drawn")
	limitFlag   = flag.Duration("limit", 0, "a simulation that takes longer than this on the real clock is stuck: all goroutines are printed, and the process ends; 0: no limit")
	faultsFlag  = flag.String("faults", "", "only these faults of the nemesis, by name, with commas; empty: all")
	traceFlag   = flag.String("trace", "", "a file for the whole timeline, and for what the nodes log")
)

// place is where the directories of simulated nodes are: in memory, if there is
// such a place.
func place(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "chronos-sim"); err == nil {
		t.Cleanup(func() { os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

// draw says what a seed is a simulation of.
func draw(seed uint64) (profile, int) {
	r := random(seed, "world")
	pro := profiles[0]
	switch n := r.IntN(10); {
	case n >= 9:
		pro = profiles[3]
	case n >= 7:
		pro = profiles[2]
	case n >= 4:
		pro = profiles[1]
	}
	nodes := []int{1, 3, 3, 3, 5}[r.IntN(5)]
	if *shorterFlag && pro.Length > time.Hour {
		pro = profiles[1]
	}
	for _, p := range profiles {
		if p.Name == *profileFlag {
			pro = p
		}
	}
	if *hoursFlag > 0 {
		pro.Length = time.Duration(*hoursFlag * float64(time.Hour))
	}
	if *nodesFlag > 0 {
		nodes = *nodesFlag
	}
	return pro, nodes
}

// simulate runs one simulation and checks it.
func simulate(t *testing.T, seed uint64, change func(*world)) *world {
	pro, nodes := draw(seed)
	var w *world
	var d *dumps
	var v *revival
	dir := place(t)
	at, watched := &atomic.Int64{}, make(chan struct{})
	defer close(watched)
	go watch(fmt.Sprintf("seed %d (%s, %d nodes)", seed, pro.Name, nodes), at, watched)
	synctest.Test(t, func(*testing.T) {
		w = newWorld(seed, pro, dir)
		w.only = *faultsFlag
		w.shape(nodes)
		if *traceFlag != "" {
			f, err := os.Create(*traceFlag)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			w.verbose, w.log.out = f, f
		}
		change(w)
		time.Sleep(w.begins())
		w.progress = at
		if d = w.live(); d != nil && len(w.log.found) == 0 {
			v = w.revive()
		}
	})
	w.log.closed = true
	if d != nil {
		check(w, d, v)
	}
	return w
}

// watch says on the real clock how far a simulation is, and ends one that is stuck.
func watch(what string, at *atomic.Int64, done <-chan struct{}) {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	var limit <-chan time.Time
	if *limitFlag > 0 {
		limit = time.After(*limitFlag)
	}
	for began := time.Now(); ; {
		far := func() string {
			return fmt.Sprintf("%s: %v simulated in %v", what, time.Duration(at.Load()), time.Since(began).Round(time.Second))
		}
		select {
		case <-tick.C:
			fmt.Fprintln(os.Stderr, far())
		case <-limit:
			debug.SetTraceback("all")
			panic(far() + ": it takes too long")
		case <-done:
			return
		}
	}
}

// TestSim runs simulations and adds up what they did.
func TestSim(t *testing.T) {
	sum := &total{began: time.Now(), counts: map[string]int{}}
	for seed := *seedFlag; ; seed++ {
		done := seed >= *seedFlag+uint64(*countFlag)
		if done && time.Since(sum.began) > *forFlag {
			break
		}
		for range *repeatFlag {
			began := time.Now()
			w := simulate(t, seed, func(w *world) { w.lies = *liesFlag })
			sum.add(w)
			t.Logf("seed %d: %s, %d nodes, %v simulated in %v, %d starts", seed, w.pro.Name, len(w.founded), w.pro.Length, time.Since(began).Round(time.Millisecond), w.log.counts["starts"])
			if len(w.log.found) > 0 {
				t.Fatalf("seed %d (%s, %d nodes):\n%s\n%s\n%d violations\n%sAgain: make sim SEED=%d COUNT=20", seed, w.pro.Name, len(w.founded), w.report(), figures(w.log.counts), len(w.log.found), w.briefly(), seed)
			}
		}
	}
	t.Logf("%s", sum)
}
