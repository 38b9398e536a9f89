//go:build !unix

package main

import "time"

func processorTime() time.Duration { return 0 }

func familyTime() time.Duration { return 0 }
