//go:build !linux

package faults

import "time"

// elapsed stands in for a clock that all processes share.
func elapsed() int64 { return time.Now().UnixNano() }
