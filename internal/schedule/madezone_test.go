package schedule

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"
)

// change is an instant from which a made-up zone has an offset.
type change struct {
	at     time.Time
	offset time.Duration
}

// madeZone compiles zone data with an offset to begin with and changes, each
// with an abbreviation of its own.
func madeZone(t *testing.T, offset time.Duration, changes ...change) *time.Location {
	t.Helper()
	n := len(changes)
	times, types, names := []int32{}, []byte{}, []byte("A\x00")
	kinds := []any{int32(offset.Seconds()), [2]byte{0, 0}}
	for i, c := range changes {
		times = append(times, int32(c.at.Unix()))
		types = append(types, byte(i+1))
		kinds = append(kinds, int32(c.offset.Seconds()), [2]byte{0, byte(len(names))})
		names = append(names, 'B'+byte(i), 0)
	}
	var b bytes.Buffer
	b.WriteString("TZif")
	b.Write(make([]byte, 16))
	header := [6]int32{3: int32(n), 4: int32(n + 1), 5: int32(len(names))}
	for _, field := range append([]any{header, times, types}, append(kinds, names)...) {
		if err := binary.Write(&b, binary.BigEndian, field); err != nil {
			t.Fatal(err)
		}
	}
	zone, err := time.LoadLocationFromTZData("Test/Zone", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// TestLongShifts moves the clock by up to three hours, which is daylight saving,
// and by a second more, which is a correction.
func TestLongShifts(t *testing.T) {
	at := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		shift time.Duration
		expr  string
		want  []time.Duration // due instants within 12 hours before and after the shift
	}{
		{3 * time.Hour, "30 1 * * *", []time.Duration{0}},
		{3*time.Hour + time.Second, "30 1 * * *", nil},
		{-3 * time.Hour, "30 22 * * *", []time.Duration{-90 * time.Minute}},
		{-3*time.Hour - time.Second, "30 22 * * *", []time.Duration{-90 * time.Minute, 90*time.Minute + time.Second}},
	} {
		compiler := Compiler{zones: map[string]*time.Location{"Test/Zone": madeZone(t, 0, change{at, c.shift})}}
		s, err := compiler.Compile(Spec{Expr: c.expr, Zone: "Test/Zone"})
		if err != nil {
			t.Fatal(err)
		}
		var got []time.Duration
		for next, _ := s.Next(at.Add(-12 * time.Hour)); next.Before(at.Add(12 * time.Hour)); next, _ = s.Next(next) {
			got = append(got, next.Sub(at))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("shift by %v: got %v, want %v", c.shift, got, c.want)
		}
	}
}

// TestRepeatBesideRenaming has a clock go back from 03:00 to 02:00, with half an
// hour before and after it a boundary that does not change the offset.
func TestRepeatBesideRenaming(t *testing.T) {
	back := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	zone := madeZone(t, 3*time.Hour, change{back.Add(-30 * time.Minute), 3 * time.Hour}, change{back, 2 * time.Hour}, change{back.Add(30 * time.Minute), 2 * time.Hour})
	c := Compiler{zones: map[string]*time.Location{"Test/Zone": zone}}
	for repeat, want := range map[Repeat][]time.Duration{
		RepeatFirst: {-45 * time.Minute, -15 * time.Minute},
		RepeatLast:  {15 * time.Minute, 45 * time.Minute},
		RepeatBoth:  {-45 * time.Minute, -15 * time.Minute, 15 * time.Minute, 45 * time.Minute},
	} {
		s, err := c.Compile(Spec{Expr: "15,45 2 * * *", Zone: "Test/Zone", Repeat: repeat})
		if err != nil {
			t.Fatal(err)
		}
		for after := -2 * time.Hour; after < time.Hour; after += time.Minute {
			next, _ := s.Next(back.Add(after))
			expect := 24*time.Hour + 15*time.Minute
			for i := len(want) - 1; i >= 0 && want[i] > after; i-- {
				expect = want[i]
			}
			if got := next.Sub(back); got != expect {
				t.Errorf("repeat %d, after %v: got %v, want %v", repeat, after, got, expect)
			}
		}
	}
}
