package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are licences that ask nothing of a host but to be named, and MPL-2.0,
// which asks for the source of changed files.
var allowed = []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT", "ISC", "MPL-2.0", "MPL-2.0-no-copyleft-exception"}

// least is how much of a file's text has to be that of known licences. The rest is
// names, years, and headings.
const least = 75

var (
	errNone    = errors.New("has no licence file")
	errUnknown = errors.New("has a licence that is not known")
	errRefused = errors.New("has a licence that is not allowed")
)

var licenceFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([-_.].*)?$`)

// licences are those of the module, and of directories in it whose packages are
// used: some modules contain other people's code.
func (d *dependency) licences(allowed []string) ([]string, error) {
	var all []string
	top := 0
	seen := map[string]bool{}
	for dir := range d.packages {
		for ; !seen[dir] && strings.HasPrefix(dir, d.dir); dir = filepath.Dir(dir) {
			seen[dir] = true
			files, err := filesIn(dir)
			if err != nil {
				return nil, err
			}
			if dir == d.dir {
				top = len(files)
			}
			for _, file := range files {
				text, err := os.ReadFile(file)
				if err != nil {
					return nil, err
				}
				ids, err := judge(text, allowed)
				if err != nil {
					return nil, fmt.Errorf("%w: %s", err, file)
				}
				all = append(all, ids...)
			}
		}
	}
	if top == 0 {
		return nil, fmt.Errorf("%w in %s", errNone, d.dir)
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func filesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if e.Type()&fs.ModeType == 0 && licenceFile.MatchString(e.Name()) && filepath.Ext(e.Name()) != ".go" {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// judge says which licences a text is, and whether all of them are allowed.
func judge(text []byte, allowed []string) ([]string, error) {
	cover := licensecheck.Scan(text)
	var ids []string
	for _, m := range cover.Match {
		if !m.IsURL {
			ids = append(ids, m.ID)
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	for _, id := range ids {
		if !slices.Contains(allowed, id) {
			return ids, fmt.Errorf("%w (%s)", errRefused, id)
		}
	}
	if len(ids) == 0 || cover.Percent < least {
		return ids, fmt.Errorf("%w (%.0f %% of its text is that of %q)", errUnknown, cover.Percent, ids)
	}
	return ids, nil
}
