package schedule

import (
	"slices"
	"testing"
)

// TestCacheSpecs: what a text consists of is the same before it is compiled and after.
func TestCacheSpecs(t *testing.T) {
	for _, text := range []string{"0 9 * * *", "H H * * *", "@every 90s | CRON_TZ=Europe/Berlin 0 9 * * MON-FRI; except=12-25", "no such", "@every x"} {
		var c Cache
		want, wrong := Parse(text)
		for range 2 {
			got, err := c.Specs(text)
			if !slices.Equal(got, want) || (err == nil) != (wrong == nil) {
				t.Errorf("%q: %v, %v, not %v, %v", text, got, err, want, wrong)
			}
			_, _ = c.Get(text, "job") // the last two cannot be compiled
		}
	}
}
