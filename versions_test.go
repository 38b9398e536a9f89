package chronos_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// An unchanged definition makes no new version, in whatever words it is put.
func TestPutUnchanged(t *testing.T) {
	onDisk(t, chronos.Options{}, func(r *rig) {
		job := chronos.Job{
			ID: "job", Handler: "h", Schedule: chronos.Cron("0  9 * * *").In(time.UTC), Payload: []byte("x"),
			Labels: map[string]string{"a": "1", "b": "2", "c": "3"},
		}
		first := r.put(job)
		if first.Version != 1 || first.State.Generation == 0 || !first.State.CreatedAt.Equal(epoch) {
			t.Errorf("got %+v", first)
		}
		time.Sleep(time.Hour)
		spelled := job
		spelled.Schedule = chronos.Cron("0 9 * * *")
		spelled.Overlap, spelled.Misfire, spelled.Delivery = chronos.OverlapSkip, chronos.MisfireLatest, chronos.AtLeastOnce
		spelled.Retry = chronos.Retry{MaxAttempts: 1, Initial: time.Second, Multiplier: 2, Max: time.Hour}
		spelled.Note = "no change"
		readBack := r.get("job")
		readBack.Version = 0
		for name, same := range map[string]chronos.Job{"same": job, "spelled out": spelled, "read back": readBack} {
			if got := r.put(same); got.Version != 1 || !got.State.UpdatedAt.Equal(epoch) {
				t.Errorf("%s: version %d", name, got.Version)
			}
			if n, err := r.PutAll(r.ctx, []chronos.Job{same}); n != 0 || err != nil {
				t.Errorf("%s: PutAll changed %d, %v", name, n, err)
			}
		}
		r.away(time.Hour)
		if got := r.put(job); got.Version != 1 {
			t.Errorf("after a restart: version %d", got.Version)
		}
		// Every field that is part of the definition makes one.
		for i, edit := range []func(*chronos.Job){
			func(j *chronos.Job) { j.Schedule = chronos.Cron("1 9 * * *") },
			func(j *chronos.Job) { j.Handler = "other" },
			func(j *chronos.Job) { j.Payload = nil },
			func(j *chronos.Job) { j.Labels = nil },
			func(j *chronos.Job) { j.Description = "d" },
			func(j *chronos.Job) { j.Overlap = chronos.OverlapBufferAll },
			func(j *chronos.Job) { j.BufferMax = 10 },
			func(j *chronos.Job) { j.Misfire = chronos.MisfireAll },
			func(j *chronos.Job) { j.CatchUpMax = 10 },
			func(j *chronos.Job) { j.CatchUpWindow = time.Hour },
			func(j *chronos.Job) { j.StartDeadline = time.Hour },
			func(j *chronos.Job) { j.Retry.MaxAttempts = 3 },
			func(j *chronos.Job) { j.Retry.NoJitter = true },
			func(j *chronos.Job) { j.Delivery = chronos.AtMostOnce },
			func(j *chronos.Job) { j.Timeout = time.Hour },
			func(j *chronos.Job) { j.Priority = 1 },
			func(j *chronos.Job) { j.MaxRuns = 1 },
			func(j *chronos.Job) { j.RemoveAfter = true },
			func(j *chronos.Job) { j.PauseOnFailure = true },
			func(j *chronos.Job) { j.Retention.Count = 5 },
			func(j *chronos.Job) { j.Retention.Age = time.Hour },
			func(j *chronos.Job) { j.Handler, j.Webhook = "", &chronos.Webhook{URL: "http://example.com"} },
		} {
			edit(&job)
			got := r.put(job)
			if got.Version != uint64(i+2) {
				t.Errorf("edit %d: version %d", i, got.Version)
			}
		}
	})
}

func TestCompareAndSwap(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		job := chronos.Job{ID: "job", Handler: "h", Version: chronos.MustNotExist}
		got := r.put(job)
		if got.Version != 1 {
			t.Errorf("version %d", got.Version)
		}
		_, err := r.Put(r.ctx, job)
		wantError(t, err, chronos.ErrConflict)
		got.Priority = 1
		got = r.put(got) // read, changed, put back
		if got.Version != 2 {
			t.Errorf("version %d", got.Version)
		}
		for _, wrong := range []uint64{1, 3, 1 << 40} {
			got.Version, got.Priority = wrong, 2
			_, err = r.Put(r.ctx, got)
			wantError(t, err, chronos.ErrConflict)
			_, err = r.PutAll(r.ctx, []chronos.Job{got})
			wantError(t, err, chronos.ErrConflict)
		}
		if now := r.get("job"); now.Version != 2 || now.Priority != 1 {
			t.Errorf("a refused Put changed %+v", now)
		}
		_, err = r.Put(r.ctx, chronos.Job{ID: "nobody", Handler: "h", Version: 1})
		wantError(t, err, chronos.ErrConflict)
		r.must(r.Delete(r.ctx, "job"))
		job.Version = 2
		_, err = r.Put(r.ctx, job)
		wantError(t, err, chronos.ErrConflict)
		job.Version = chronos.MustNotExist
		if got := r.put(job); got.Version != 4 {
			t.Errorf("version %d after a deletion, want 4", got.Version)
		}
	})
}

func TestVersionsAndRollback(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		ann := chronos.WithActor(r.ctx, "ann")
		for i := range 300 { // more than a page
			_, err := r.Put(ann, chronos.Job{ID: "job", Handler: "h", Payload: fmt.Append(nil, i), Note: fmt.Sprint("note ", i)})
			r.must(err)
			time.Sleep(time.Second)
		}
		got, err := r.Rollback(chronos.WithActor(r.ctx, "bob"), "job", 7)
		r.must(err)
		if got.Version != 301 || string(got.Payload) != "6" || got.State.Actor != "bob" {
			t.Errorf("rolled back to %+v", got)
		}
		got, err = r.Rollback(r.ctx, "job", 301) // what it is already: no new version
		r.must(err)
		if got.Version != 301 {
			t.Errorf("version %d", got.Version)
		}
		r.must(r.Delete(ann, "job"))
		_, err = r.Rollback(r.ctx, "job", 7)
		wantError(t, err, chronos.ErrNotFound)
		r.put(chronos.Job{Payload: []byte("again")})
		got, err = r.Rollback(r.ctx, "job", 8) // of the generation before
		r.must(err)
		if got.Version != 304 || string(got.Payload) != "7" {
			t.Errorf("rolled back to %+v", got)
		}
		for _, n := range []uint64{0, 302, 999} { // none, the deletion, none
			_, err = r.Rollback(r.ctx, "job", n)
			wantError(t, err, chronos.ErrNotFound)
		}
		n := uint64(0)
		for v, err := range r.Versions(r.ctx, "job") {
			r.must(err)
			n++
			want := chronos.Version{Number: n, At: epoch.Add(time.Duration(min(n-1, 300)) * time.Second), Actor: "ann", Note: fmt.Sprint("note ", n-1)}
			switch n {
			case 301:
				want.Actor, want.Note, want.RolledBackTo = "bob", "", 7
			case 302:
				want.Note, want.Deleted = "", true
			case 303:
				want.Actor, want.Note = "", ""
			case 304:
				want.Actor, want.Note, want.RolledBackTo = "", "", 8
			}
			payload := string(v.Job.Payload)
			v.Job = chronos.Job{}
			if !reflect.DeepEqual(v, want) {
				t.Errorf("got %+v\nwant %+v", v, want)
			}
			if n <= 300 && payload != fmt.Sprint(n-1) {
				t.Errorf("version %d has payload %q", n, payload)
			}
		}
		if n != 304 {
			t.Errorf("%d versions", n)
		}
	})
}

// Nothing is written if one of many is not valid; big lists are taken whole.
func TestPutAll(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		var jobs []chronos.Job
		for i := range 2500 {
			jobs = append(jobs, chronos.Job{ID: fmt.Sprintf("%04d", i), Handler: "h", Schedule: chronos.Every(time.Hour)})
		}
		none := func(what string, err error, field string) {
			t.Helper()
			wantField(t, err, field)
			for j, err := range r.Jobs(r.ctx, nil) {
				t.Fatalf("%s: %s was written, %v", what, j.ID, err)
			}
		}
		for what, tc := range map[string]struct {
			edit  func(*chronos.Job)
			field string
		}{
			"no ID":         {func(j *chronos.Job) { j.ID = "" }, "Job.ID"},
			"twice":         {func(j *chronos.Job) { j.ID = "0000" }, "Job.ID"},
			"no handler":    {func(j *chronos.Job) { j.Handler = "" }, "Job.Handler"},
			"instant is by": {func(j *chronos.Job) { j.Schedule = chronos.At(epoch) }, "Job.Schedule"},
			"secret": {func(j *chronos.Job) {
				j.Handler, j.Webhook = "", &chronos.Webhook{URL: "http://x", Bearer: chronos.SecretKept}
			}, "Job.Webhook.Bearer"},
		} {
			kept := jobs[2400]
			tc.edit(&jobs[2400])
			_, err := r.PutAll(r.ctx, jobs)
			none(what, err, tc.field)
			jobs[2400] = kept
		}
		_, err := r.PutAll(chronos.WithActor(r.ctx, strings.Repeat("x", 300)), jobs)
		none("actor", err, "actor")
		if !strings.HasPrefix(err.Error(), "job 0000: chronos: invalid") {
			t.Errorf("%v", err)
		}
		n, err := r.PutAll(r.ctx, jobs)
		if n != 2500 || err != nil {
			t.Errorf("changed %d, %v", n, err)
		}
		jobs[3].Priority = 1
		n, err = r.PutAll(r.ctx, jobs)
		if n != 1 || err != nil {
			t.Errorf("changed %d, %v", n, err)
		}
		n, err = r.PutAll(r.ctx, nil)
		if n != 0 || err != nil {
			t.Errorf("changed %d, %v", n, err)
		}
		// What stands in the way of one is told, with how many were changed before; the same
		// call without it does the rest.
		for i := range jobs {
			jobs[i].Priority = 2
		}
		jobs[1500].Version = chronos.MustNotExist
		n, err = r.PutAll(r.ctx, jobs)
		if !errors.Is(err, chronos.ErrConflict) || !strings.Contains(err.Error(), "1500") || n < 1500 || n >= 2500 {
			t.Errorf("changed %d, %v", n, err)
		}
		jobs[1500].Version = 0
		_, err = r.PutAll(r.ctx, jobs)
		r.must(err)
		for j, err := range r.Jobs(r.ctx, nil) {
			if err != nil || j.Priority != 2 {
				t.Fatalf("%s has priority %d, %v", j.ID, j.Priority, err)
			}
		}
		// A one-shot that has passed may be declared again as it is.
		once := []chronos.Job{{ID: "once", Handler: "h", Schedule: chronos.At(at("00:10:00"))}}
		_, err = r.PutAll(r.ctx, once)
		r.must(err)
		time.Sleep(time.Hour)
		if n, err := r.PutAll(r.ctx, once); n != 0 || err != nil {
			t.Errorf("changed %d, %v", n, err)
		}
		if got := r.put(once[0]); got.Version != 1 {
			t.Errorf("version %d", got.Version)
		}
	})
}

// An error says who it is from once.
func TestVersionsOfNobody(t *testing.T) {
	bubble(t, chronos.Options{}, func(r *rig) {
		for _, err := range r.Versions(r.ctx, "nobody") {
			if !errors.Is(err, chronos.ErrNotFound) || strings.Count(err.Error(), "chronos:") != 1 {
				t.Errorf("%v", err)
			}
		}
	})
}
