//go:build !race

package chronostest_test

const raced = false
