package chronostest_test

import (
	"flag"
	"testing"
	"testing/synctest"
)

// inTest gives an example what it needs and does not have: a test, and a bubble. The
// testing package would announce it with -v, and repeat it with -count.
func inTest(test func(t *testing.T)) {
	verbose := flag.Lookup("test.v").Value
	was := verbose.String()
	_ = verbose.Set("false")
	defer func() { _ = verbose.Set(was) }()
	done := false
	all := func(string, string) (bool, error) { return true, nil }
	testing.RunTests(all, []testing.InternalTest{{Name: "Example", F: func(t *testing.T) {
		if !done {
			done = true
			synctest.Test(t, test)
		}
	}}})
}
