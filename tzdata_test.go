package chronos_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// moveZone gives the zone Test/Moving another offset from UTC, as an update of
// the machine's time-zone data does.
func moveZone(t *testing.T, offset time.Duration) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("TZif")
	b.Write(make([]byte, 16))
	for _, v := range []any{[6]int32{4: 1, 5: 4}, int32(offset.Seconds()), [2]byte{}, []byte("MOV\x00")} {
		if err := binary.Write(&b, binary.BigEndian, v); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(os.Getenv("ZONEINFO"), "Test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "Moving"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// A new version of the time-zone data moves the next instants, whether the
// process was down or running when it came, and fires nothing in retrospect.
func TestTimeZoneDataChanges(t *testing.T) {
	if testing.Short() {
		t.Skip("long, and its scheduler is under the race detector in other tests, too")
	}
	const hour = time.Hour
	for _, tc := range []struct {
		name   string
		when   string // the data changes
		offset time.Duration
		want   string
	}{
		{"not at all", "03:00:00", hour, "01:00:00 succeeded, 05:00:00 succeeded"},
		{"earlier", "01:30:00", 2 * hour, "01:00:00 succeeded, 04:00:00 succeeded"},
		{"later", "01:30:00", 0, "01:00:00 succeeded, 02:00:00 succeeded, 06:00:00 succeeded"},
		{"earlier, after what would have been", "04:30:00", 2 * hour, "01:00:00 succeeded, 04:00:00 missed(zone)"},
		{"later, shortly before", "04:45:00", 0, "01:00:00 succeeded, 02:00:00 missed(zone), 06:00:00 succeeded"},
		{"later, shortly after: once more", "05:15:00", 0, "01:00:00 succeeded, 05:00:00 succeeded, 06:00:00 succeeded"},
	} {
		for _, running := range []bool{true, false} {
			t.Run(tc.name+map[bool]string{true: ", running", false: ", down"}[running], func(t *testing.T) {
				moveZone(t, hour)
				onDisk(t, chronos.Options{}, func(r *rig) {
					r.handle(succeed)
					r.put(chronos.Job{Schedule: chronos.Cron("0 2,6 * * *").In(zone("Test/Moving"))})
					r.put(chronos.Job{ID: "other", Schedule: chronos.Cron("0 2,6 * * *").In(zone("Europe/Berlin"))})
					r.start()
					r.until(tc.when)
					if running {
						moveZone(t, tc.offset)
					} else {
						r.shut()
						moveZone(t, tc.offset)
						time.Sleep(10 * time.Second)
						r.open()
						r.handle(succeed)
						r.start()
					}
					r.until("07:00:00")
					if got := strings.Join(r.ledgerText("job"), ", "); got != tc.want {
						t.Errorf("got %s, want %s", got, tc.want)
					}
					if n := len(r.rows("other")); n != 2 {
						t.Errorf("the other job has %d rows", n)
					}
				})
			})
		}
	}
}

// Put goes by the same data as the planner, whatever a value was compiled with
// before, and whether or not the planner has seen the change yet.
func TestTimeZoneDataAndPut(t *testing.T) {
	moveZone(t, time.Hour)
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		sched := chronos.Cron("0 2,6 * * *").In(zone("Test/Moving"))
		r.put(chronos.Job{Schedule: sched})
		r.start()
		r.until("03:00:00")
		moveZone(t, 2*time.Hour)
		r.until("03:10:00")
		r.put(chronos.Job{Schedule: sched, Description: "edited"}) // compiled with the old data
		r.until("07:00:00")
		r.wantLedger("01:00:00 succeeded", "04:00:00 succeeded")
	})
	moveZone(t, time.Hour)
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{ID: "other", Schedule: chronos.Cron("0 2,6 * * *").In(zone("Test/Moving"))})
		r.start()
		r.until("03:59:10")
		moveZone(t, 2*time.Hour)
		sched := chronos.Cron("30,45 59 5 * * *").In(zone("Test/Moving")) // by the new data in 20 seconds
		r.put(chronos.Job{Schedule: sched})
		r.until("07:00:00")
		rows := 0
		for _, x := range r.rows("job") {
			rows += x.Count
		}
		if rows != 2 {
			t.Errorf("%d instants are accounted for, of two: %v", rows, r.ledgerText("job"))
		}
	})
}

// What was due by old data while the process was down, and is not by the new, is
// not run; a pause and its end account for what is due by the new data.
func TestTimeZoneDataChangesOver(t *testing.T) {
	moveZone(t, time.Hour)
	onDisk(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Cron("0 6 * * *").In(zone("Test/Moving"))})
		r.start()
		r.until("04:30:00")
		r.shut()
		moveZone(t, 0)
		time.Sleep(time.Until(at("05:10:00")))
		r.open()
		r.handle(succeed)
		r.start()
		r.until("07:00:00")
		r.wantLedger("06:00:00 succeeded")
	})
	moveZone(t, time.Hour)
	bubble(t, chronos.Options{}, func(r *rig) {
		r.handle(succeed)
		r.put(chronos.Job{Schedule: chronos.Cron("0 6 * * *").In(zone("Test/Moving"))})
		r.start()
		r.until("04:30:00")
		r.must(r.Pause(r.ctx, "job", ""))
		moveZone(t, 0)
		r.until("05:30:00")
		r.must(r.Resume(r.ctx, "job"))
		r.until("07:00:00")
		r.wantLedger("06:00:00 succeeded")
	})
}

// A clock that is behind when the process starts anew moves no job back: what
// had passed when the job was put is not made up for when the clock is right.
func TestClockBehindAtStart(t *testing.T) {
	dir := t.TempDir()
	bubble(t, chronos.Options{Dir: dir}, func(r *rig) {
		r.handle(succeed)
		r.start()
		r.until("03:30:00")
		r.put(chronos.Job{Schedule: chronos.Cron("0 * * * *")})
	})
	bubble(t, chronos.Options{Dir: dir}, func(r *rig) {
		r.handle(succeed)
		r.start()
		r.until("00:10:00")
		if due := r.get("job").State.NextDue; !due.Equal(at("04:00:00")) {
			t.Errorf("next due %v", due)
		}
		r.halt() // a step of the clock, as far as the scheduler can tell
		time.Sleep(time.Until(at("03:40:00")))
		r.start()
		r.until("04:10:00")
		r.wantLedger("04:00:00 succeeded")
	})
}
