package schedule

import (
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"
)

// hashedValues returns the values that a part with H stands for.
func hashedValues(t *testing.T, f field, text, seed string) (values []int) {
	t.Helper()
	parts, err := f.parsePart(token{text, 0}, seed)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for v := f.spec().min; v <= f.spec().max-f.alias(); v++ {
		at := map[field]time.Time{
			minute: time.Date(2001, 1, 1, 0, v, 0, 0, time.UTC), hour: time.Date(2001, 1, 1, v, 0, 0, 0, time.UTC),
			monthday: time.Date(2001, 1, v, 0, 0, 0, 0, time.UTC), weekday: time.Date(2001, 1, 7+v, 0, 0, 0, 0, time.UTC),
		}[f]
		for _, p := range parts {
			due, err := partDue(p, f, at)
			if err != nil {
				t.Fatal(err)
			}
			if due {
				values = append(values, v)
				break
			}
		}
	}
	return values
}

// TestHash checks, over many jobs, which values H may take and that it takes
// them evenly. steps is how many values a job gets.
func TestHash(t *testing.T) {
	const jobs = 5000
	for _, c := range []struct {
		f     field
		text  string
		among []int
		steps int
	}{
		{minute, "H", steps(0, 59, 1), 1},
		{minute, "H(0-29)", steps(0, 29, 1), 1},
		{minute, "H(50-9)", append(steps(50, 59, 1), steps(0, 9, 1)...), 1},
		{minute, "H/15", steps(0, 59, 1), 4},
		{minute, "H(0-29)/10", steps(0, 29, 1), 3},
		{minute, "H(55-4)/5", append(steps(55, 59, 1), steps(0, 4, 1)...), 2},
		{hour, "H", steps(0, 23, 1), 1},
		{hour, "h(22-2)", []int{22, 23, 0, 1, 2}, 1},
		{monthday, "H", steps(1, 28, 1), 1},
		{monthday, "H(1-31)", steps(1, 31, 1), 1},
		{monthday, "H/14", steps(1, 28, 1), 2},
		{weekday, "H", steps(0, 6, 1), 1},
		{weekday, "H(MON-FRI)", steps(1, 5, 1), 1},
		{weekday, "H(5-7)", []int{5, 6, 0}, 1},
		{weekday, "H(7-7)", []int{0}, 1},
		{weekday, "H(0-7)", steps(0, 6, 1), 1},
	} {
		seen := map[int]int{}
		for i := range jobs {
			got := hashedValues(t, c.f, c.text, "job-"+strconv.Itoa(i))
			if len(got) != c.steps {
				t.Fatalf("%s of %s: %v, want %d values", c.text, c.f.spec().name, got, c.steps)
			}
			for _, v := range got {
				seen[v]++
			}
		}
		for v, n := range seen {
			if mean := jobs * c.steps / len(c.among); !slices.Contains(c.among, v) || n < mean*6/10 || n > mean*14/10 {
				t.Errorf("%s of %s: %d came %d times in %d", c.text, c.f.spec().name, v, n, jobs)
			}
		}
		if len(seen) != len(c.among) {
			t.Errorf("%s of %s: %d values, want %d", c.text, c.f.spec().name, len(seen), len(c.among))
		}
	}
}

// TestHashIsFrozen: another version of the package gives a job the same times,
// and each field has a hash of its own.
func TestHashIsFrozen(t *testing.T) {
	at := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	for job, want := range map[string]string{
		"greet": "2027-04-20T18:28:00Z", "backup/daily": "2027-10-28T03:42:00Z", "a": "2027-10-03T14:19:00Z",
	} {
		s, err := Compile(For(job, []Spec{{Expr: "H H H H *"}})...)
		if err != nil {
			t.Fatal(err)
		}
		next, _ := s.Next(at)
		if got := next.Format(time.RFC3339); got != want {
			t.Errorf("%s: got %s, want %s", job, got, want)
		}
	}
}

func TestHashSeeds(t *testing.T) {
	at := time.Date(2026, 11, 23, 6, 0, 0, 0, time.UTC)
	next := func(text, job string) time.Time {
		t.Helper()
		specs, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Compile(For(job, specs)...)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := s.Next(at)
		return out
	}
	if next("H H * * *", "a").Equal(next("H H * * *", "b")) {
		t.Error("two jobs share a time")
	}
	if got := next("H H * * *; seed=a", "b"); !got.Equal(next("H H * * *", "a")) {
		t.Errorf("a seed of its own gives %v", got)
	}
	if got := next("0 0 * * THU; not=H H * * *", "a"); !got.Equal(next("0 0 * * THU", "a")) {
		t.Errorf("an H that is left out gives %v", got)
	}
	for text, want := range map[string]bool{
		"H * * * *": true, "0 0 * * 1,h": true, "0 0 * MAR THU": false, "H * * * *; seed=x": false, "* * * * *; not=H * * * *": true,
		"@every 1h": false, "0 0 * * * | H * * * *": true,
	} {
		specs, err := Parse(text)
		if err != nil || Hashed(specs) != want {
			t.Errorf("%q: hashed %v, %v", text, Hashed(specs), err)
		}
	}
}

func TestCache(t *testing.T) {
	var c Cache
	get := func(text, job string) *Schedule {
		t.Helper()
		s, err := c.Get(text, job)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	if get("0 9 * * *", "a") != get("0 9 * * *", "b") {
		t.Error("one text was compiled twice")
	}
	if first := get("H 9 * * *", "a"); first != get("H 9 * * *", "a") {
		t.Error("one text was compiled twice for a job")
	}
	if get("H 9 * * *", "a") == get("H 9 * * *", "b") {
		t.Error("two jobs share an H")
	}
	for range 2 {
		if _, err := c.Get("0 25 * * *", "a"); err == nil {
			t.Error("a wrong text was accepted")
		}
	}
	for i := range 2 * cacheKept {
		get(fmt.Sprintf("@every %ds", i+1), "a")
	}
	if n := len(c.byText); n > cacheKept {
		t.Errorf("%d are kept", n)
	}
}
