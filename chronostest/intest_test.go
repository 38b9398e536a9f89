package chronostest_test

import (
	"flag"
	"testing"
	"testing/synctest"
)

// inTest gives an example what it needs and does not have: a test, and a bubble. The
// testing package would announce it with -v, leave it out with -skip, and repeat it
// with -count.
func inTest(test func(t *testing.T)) {
	for name, value := range map[string]string{"test.v": "false", "test.run": "", "test.skip": ""} {
		f := flag.Lookup(name).Value
		was := f.String()
		_ = f.Set(value)
		defer func() { _ = f.Set(was) }()
	}
	done := false
	all := func(string, string) (bool, error) { return true, nil }
	testing.RunTests(all, []testing.InternalTest{{Name: "Example", F: func(t *testing.T) {
		if !done {
			done = true
			synctest.Test(t, test)
		}
	}}})
}
