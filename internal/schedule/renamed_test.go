package schedule

import (
	"bytes"
	"encoding/binary"
	"testing"
	"time"
)

// renamedZone is a zone whose clock goes back from 03:00 to 02:00 at the given
// second, and that changes its abbreviation, but not its offset, half an hour
// before and after.
func renamedZone(t *testing.T, at int32) *time.Location {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("TZif")
	b.Write(make([]byte, 16))
	for _, field := range []any{
		[6]int32{0, 0, 0, 3, 4, 16}, // counts: transitions, types, characters
		[3]int32{at - 1800, at, at + 1800}, [3]byte{1, 2, 3},
		int32(10800), [2]byte{0, 0}, int32(10800), [2]byte{0, 4}, int32(7200), [2]byte{0, 8}, int32(7200), [2]byte{0, 12},
		[]byte("AAA\x00BBB\x00CCC\x00DDD\x00"),
	} {
		if err := binary.Write(&b, binary.BigEndian, field); err != nil {
			t.Fatal(err)
		}
	}
	zone, err := time.LoadLocationFromTZData("Test/Renamed", b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// TestRepeatBesideRenaming puts boundaries without a change of offset between a
// civil time and its repetition.
func TestRepeatBesideRenaming(t *testing.T) {
	back := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	c := Compiler{zones: map[string]*time.Location{"Test/Renamed": renamedZone(t, int32(back.Unix()))}}
	for repeat, want := range map[Repeat][]time.Duration{
		RepeatFirst: {-45 * time.Minute, -15 * time.Minute},
		RepeatLast:  {15 * time.Minute, 45 * time.Minute},
		RepeatBoth:  {-45 * time.Minute, -15 * time.Minute, 15 * time.Minute, 45 * time.Minute},
	} {
		s, err := c.Compile(Spec{Expr: "15,45 2 * * *", Zone: "Test/Renamed", Repeat: repeat})
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
