//go:build race

package chronostest_test

// raced tells that the race detector is on, with which simulated time is ten times
// as slow.
const raced = true
