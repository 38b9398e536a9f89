package chronos_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
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
	const hour = time.Hour
	for _, tc := range []struct {
		name   string
		when   string // the data changes
		offset time.Duration
		want   string
	}{
		{"not at all", "03:00:00", hour, "01:00:00 05:00:00"},
		{"earlier", "03:00:00", 2 * hour, "01:00:00 04:00:00"},
		{"later", "03:00:00", 0, "01:00:00 06:00:00"},
		{"earlier, after what would have been", "04:30:00", 2 * hour, "01:00:00"},
		{"later, shortly before", "04:45:00", 0, "01:00:00 06:00:00"},
		{"later, shortly after: once more", "05:15:00", 0, "01:00:00 05:00:00 06:00:00"},
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
					got := ""
					for _, x := range r.rows("job") {
						if x.Status != chronos.StatusSucceeded || !x.Attempts[0].Started.Equal(x.Due) {
							t.Errorf("row %s", rowText(x))
						}
						got += x.Due.Format(" 15:04:05")
					}
					if got != " "+tc.want {
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
