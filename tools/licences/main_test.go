package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const mit = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`

const gpl = `This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.

This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details.
`

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLicences(t *testing.T) {
	own, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		top, below string // the licence of the module, and of a directory in it
		ids        string
		err        error
	}{
		"mit":                       {mit, "", "MIT", nil},
		"a licence and a copyright": {"Copyright (c) 2026 Somebody\n\n" + mit, "", "MIT", nil},
		"apache":                    {string(own), "", "Apache-2.0", nil},
		"two":                       {mit, string(own), "Apache-2.0 MIT", nil},
		"none":                      {"", "", "", errNone},
		"none at the top":           {"", mit, "", errNone},
		"gpl":                       {gpl, "", "", errRefused},
		"somebody else's gpl":       {mit, gpl, "", errRefused},
		"mit and more":              {mit + gpl, "", "", errRefused},
		"something of their own":    {"You may use this if you are nice to everybody, always.", "", "", errUnknown},
		"mit with a long addition":  {mit + strings.Repeat("And nobody may use it on a Tuesday. ", 30), "", "", errUnknown},
	} {
		dir := t.TempDir()
		below := filepath.Join(dir, "a", "b")
		write(t, below, "code.go", "package b")
		write(t, filepath.Join(dir, "unused"), "LICENSE", gpl)
		if c.top != "" {
			write(t, dir, "LICENSE.md", c.top)
		}
		if c.below != "" {
			write(t, filepath.Join(dir, "a"), "COPYING", c.below)
		}
		d := &dependency{dir: dir, packages: map[string]bool{below: true, dir: true}}
		ids, err := d.licences(allowed)
		if !errors.Is(err, c.err) || err == nil && !slices.Equal(ids, strings.Fields(c.ids)) {
			t.Errorf("%s: %q, %v", name, ids, err)
		}
	}
	if _, err := judge([]byte(gpl), append(slices.Clone(allowed), "GPL-3.0", "GPL-3.0-or-later", "GPL-3.0+")); err != nil {
		t.Errorf("allowed on the side: %v", err)
	}
}

// Each module that the program is asked for is looked at, and one that is not there
// is no success.
func TestRun(t *testing.T) {
	var out strings.Builder
	if err := run(&out, "../..", nil, nil, []string{"."}); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"MPL-2.0", "github.com/hashicorp/raft v", "github.com/dgraph-io/badger/v4 v"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("lacks %s:\n%s", want, out.String())
		}
	}
	if err := run(&out, "../..", nil, nil, []string{"nowhere"}); err == nil {
		t.Error("a module that is not there is passed over")
	}
	if err := run(&out, "../..", nil, []string{"github.com/hashicorp/raft", "example.com/gone"}, []string{"."}); err == nil || err.Error() != "example.com/gone is an exception, and no dependency: take it out" {
		t.Errorf("exceptions: %v", err)
	}
	if err := run(&out, "../..", nil, nil, nil); err == nil {
		t.Error("nothing is enough")
	}
}
