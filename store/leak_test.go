package store

import (
	"os"
	"testing"

	"github.com/chronos-go/chronos/internal/testleak"
)

// When Badger cannot open a directory, it leaves these two behind.
func TestMain(m *testing.M) {
	os.Exit(testleak.Run(m, "badger/v4.(*DB).monitorCache", "z.(*AllocatorPool).freeupAllocators"))
}
