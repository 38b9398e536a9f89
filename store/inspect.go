package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/dgraph-io/badger/v4"
)

// inspect looks at a generation's files after an unclean stop, before Badger
// maps any of them: with damaged ones Badger panics in goroutines of its own,
// asks for gigabytes, or leaves out a table and says nothing. What a crash can
// have caused is put right, what it cannot have caused is ErrCorrupt.
func inspect(dir string) (err error) {
	defer trap(&err)
	if err := inspectLogs(dir); err != nil {
		return blameState(err)
	}
	tables, err := listedTables(dir)
	if err != nil {
		return blameState(err)
	}
	for _, path := range tables {
		if err := verifyTable(path); err != nil {
			return blameState(fmt.Errorf("%q: %w", path, err))
		}
	}
	return nil
}

// inspectLogs removes log files that were created and never written (Badger
// refuses them, #2207), cuts the others after their last whole entry, and
// drops the value log's statistics, which nothing depends on.
func inspectLogs(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.Name() == "DISCARD":
			if err := os.Remove(path); err != nil {
				return err
			}
		case strings.HasSuffix(e.Name(), ".mem"), strings.HasSuffix(e.Name(), ".vlog"):
			if err := cutLog(path); err != nil {
				return err
			}
		}
	}
	return nil
}

// listedTables answers the tables that Badger's manifest lists. Others are
// left from a compaction that was killed; Badger removes them.
func listedTables(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, badger.ManifestFilename))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, corrupt("Badger's manifest is missing in %q", dir) // Badger would start empty
	}
	if err != nil {
		return nil, err
	}
	m, _, err := badger.ReplayManifestFile(f, 0, badger.Options{})
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	var paths []string
	for id := range m.Tables {
		paths = append(paths, filepath.Join(dir, fmt.Sprintf("%06d.sst", id)))
	}
	return paths, nil
}
