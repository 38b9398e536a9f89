package schedule

import (
	"fmt"
	"strings"
	"time"
)

// forever is later than any second that counts, and small enough to calculate
// with.
const forever = int64(1) << 60

// period is a stretch of time [start, end) during which a zone has one offset.
// Neighbours may have the same offset. Changes of the offset are at least two
// days apart in all zones (a test says so), which the search relies on.
type period struct {
	start, end, offset int64
}

func periodAt(zone *time.Location, t int64) period {
	if zone == time.UTC {
		return period{-forever, forever, 0}
	}
	at := time.Unix(t, 0).In(zone)
	_, offset := at.Zone()
	start, end := at.ZoneBounds()
	p := period{-forever, forever, int64(offset)}
	if !start.IsZero() {
		p.start = start.Unix()
	}
	if !end.IsZero() {
		p.end = end.Unix()
	}
	if p.end <= t {
		// Beyond the zone's table ZoneBounds ends a year after 365 days, also on
		// the 366th. There is no transition before the year does end.
		p.end = t - t%daySeconds + daySeconds
	}
	return p
}

// Fixed tells if a location has one offset for ever and is not what the machine
// knows by its name: one that the program made itself.
func Fixed(zone *time.Location) bool {
	name := zone.String()
	if zone == time.UTC || name == "Local" { // which is refused for what it is
		return false
	}
	if start, end := time.Unix(0, 0).In(zone).ZoneBounds(); !start.IsZero() || !end.IsZero() {
		return false
	}
	known, err := loadZone(name)
	return err != nil || name == "" || !sameZone(zone, known, 0)
}

// sameZone tells if two zones have the same offsets for ten years from now on.
func sameZone(a, b *time.Location, now int64) bool {
	const years = 10 * 366 * daySeconds
	for t := now; t < now+years; {
		p, q := periodAt(a, t), periodAt(b, t)
		if p.offset != q.offset {
			return false
		}
		t = min(p.end, q.end)
	}
	return true
}

// changeBefore returns since when the zone has had the offset of p, and which
// one it had before. A change more than maxShift before t is not looked for.
func changeBefore(zone *time.Location, p period, t int64) (start, before int64) {
	for start = p.start; t-start <= maxShift; {
		q := periodAt(zone, start-1)
		if q.offset != p.offset {
			return start, q.offset
		}
		start = q.start
	}
	return start, p.offset
}

// changeAfter returns until when the zone has the offset of p, and which one it
// has then. A change more than maxShift after t is not looked for.
func changeAfter(zone *time.Location, p period, t int64) (end, after int64) {
	for end = p.end; end-t <= maxShift; {
		q := periodAt(zone, end)
		if q.offset != p.offset {
			return end, q.offset
		}
		end = q.end
	}
	return end, p.offset
}

// loadZone finds a zone by a name that means the same on every machine.
func loadZone(name string) (*time.Location, error) {
	if name == "" || name == "UTC" {
		return time.UTC, nil
	}
	lower := strings.ToLower(name)
	switch {
	case lower == "local" || lower == "localtime" || lower == "posixrules":
		return nil, &Error{"zone", fmt.Sprintf("%q differs between machines", name), "name an IANA zone such as Europe/Berlin", -1, ""}
	case strings.HasPrefix(lower, "right/") || strings.HasPrefix(lower, "posix/"):
		return nil, &Error{"zone", fmt.Sprintf("%q does not exist everywhere", name), "leave the prefix out: " + name[len("right/"):], -1, ""}
	case !zoneName(name):
		return nil, &Error{"zone", fmt.Sprintf("%.64q is no IANA name", name), "write it as Europe/Berlin or Etc/GMT-2", -1, ""}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, &Error{"zone", fmt.Sprintf("%q is unknown here", name),
			"check the IANA name, which is no abbreviation (Europe/Berlin, Etc/GMT-2 for UTC+2); on a machine without time-zone data import _ \"time/tzdata\" in the program", -1, ""}
	}
	return zone, nil
}

func zoneName(name string) bool {
	for _, c := range []byte(name) {
		if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'z') && !strings.ContainsRune("/_+-", rune(c)) {
			return false
		}
	}
	return len(name) <= 64
}
