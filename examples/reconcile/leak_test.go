package main

import (
	"os"
	"testing"

	"github.com/chronos-go/chronos/internal/testleak"
)

func TestMain(m *testing.M) { os.Exit(testleak.Run(m)) }
