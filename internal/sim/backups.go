package sim

import (
	"bytes"
	"context"
	"time"

	"github.com/chronos-go/chronos"
)

// backup is one that was taken while the cluster was at work. The moment that it
// shows is somewhere in its call.
type backup struct {
	call    *call
	content []byte
}

// backups takes one after the other, to a place that is not always fast, and keeps
// one of those that were answered.
func (c *caller) backups() {
	for c.w.sleep(between(c.r, c.w.pro.Length/20, c.w.pro.Length/5)) {
		to := &slowWriter{sleep: between(c.r, 0, c.w.pro.Heartbeat)}
		k := c.call("backup", "", "", func(ctx context.Context, s *chronos.Scheduler, _ *call) (func(), error) {
			return nil, s.Backup(ctx, to)
		})
		if k != nil && k.acked() {
			c.w.keep(&backup{call: k, content: to.Bytes()}, c.r.IntN(2) == 0)
		}
	}
}

type slowWriter struct {
	bytes.Buffer
	sleep time.Duration
}

func (s *slowWriter) Write(p []byte) (int, error) {
	time.Sleep(s.sleep)
	return s.Buffer.Write(p)
}

func (w *world) keep(b *backup, newer bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log.count("backups taken", 1)
	if w.backup == nil || newer {
		w.backup = b
	}
}

// revival is a new world of one node into which a backup was restored.
type revival struct {
	w      *world
	backup *backup
	begun  int64 // when Restore was called
	ended  int64
	dumps  *dumps
	again  map[string]string // what triggers with old keys answered, by call
}

// revive restores the backup that was kept, when all else is over, lets the new
// scheduler work for a while and asks it for everything.
func (w *world) revive() *revival {
	if w.backup == nil {
		return nil
	}
	pro := w.pro
	pro.Length = 20 * pro.Unit
	v := &revival{w: newWorld(w.seed, pro, w.dir), backup: w.backup, again: map[string]string{}}
	v.w.log.out, v.w.verbose, v.w.dirs, v.w.puts = w.log.out, w.verbose, w.dirs, w.puts
	v.w.log.calls = w.log.calls // they are what the plans are known by
	v.w.shape(1)
	v.w.clustered = false
	v.w.start("a")
	if !v.w.allUp() {
		return v
	}
	s := v.w.up()[0].s
	time.Sleep(between(random(w.seed, "revive"), 0, 50*pro.Unit))
	v.begun = now()
	err := s.Restore(context.Background(), bytes.NewReader(v.backup.content))
	v.ended = now()
	if err != nil {
		v.w.log.fault("restore", "", now(), "%s does not come back: %v", v.backup.call.seq, err)
		v.w.closeAll()
		return v
	}
	v.retrigger(s)
	time.Sleep(pro.Length)
	if v.w.pauseAll() && v.w.finished() {
		v.dumps = v.w.dumpAll()
	}
	v.w.closeAll()
	v.w.running.Wait()
	return v
}

// retrigger asks for executions by keys of which the answers are in the backup.
func (v *revival) retrigger(s *chronos.Scheduler) {
	for _, c := range v.w.log.calls {
		if c.op != "trigger" || c.arg == "" || !c.acked() || c.end >= v.backup.call.begin || !once(c.job) {
			continue
		}
		x, err := s.Trigger(context.Background(), c.job, chronos.TriggerRequest{Key: c.arg})
		if err != nil {
			v.w.log.fault("restore", c.job, now(), "key %s of %s is answered with %v", c.arg, c.seq, err)
			continue
		}
		v.again[c.seq] = x.ID
		if len(v.again) == 20 {
			return
		}
	}
}
