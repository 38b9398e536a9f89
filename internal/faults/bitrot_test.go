package faults

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// rotten is a directory to be damaged, and what it has to answer.
type rotten struct {
	name    string
	dir     string // with data, journal and dump below
	want    *dump
	classes map[string][]string // files by class, relative to data
	order   []string
}

// grow makes a directory with a history, snapshots and a log, and leaves it
// closed, or killed in the middle of nothing.
func grow(t *testing.T, dir, name string, rng *rand.Rand) *rotten {
	t.Helper()
	r := &rotten{name: name, dir: filepath.Join(dir, name)}
	if err := os.Mkdir(r.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	cfg := configIn(r.dir, rng)
	for range 2 { // a second opening, so that there are tables and not only a log
		p := start(t, cfg)
		if err := p.ready(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if err := p.stop(); err != nil {
			t.Fatal(err)
		}
	}
	if name == "killed" {
		p := start(t, cfg)
		if err := errors.Join(p.ready(30*time.Second), p.settle()); err != nil {
			t.Fatal(err)
		}
		p.kill()
	}
	examine(t, cfg, true)
	var err error
	if r.want, err = readDump(cfg.Dump); err != nil {
		t.Fatal(err)
	}
	r.classify(t)
	return r
}

func (r *rotten) classify(t *testing.T) {
	t.Helper()
	r.classes = map[string][]string{}
	root := filepath.Join(r.dir, "data")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil || strings.HasPrefix(rel, "quarantine") {
			return err
		}
		class := d.Name()
		if ext := filepath.Ext(class); ext != "" && class != "raft.db" && class != "state.bin" && class != "meta.json" {
			class = ext
		}
		r.classes[class] = append(r.classes[class], rel)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for class := range r.classes {
		r.order = append(r.order, class)
	}
	slices.Sort(r.order)
}

// damage spoils a file in one of the ways of disks.
func damage(path string, rng *rand.Rand) (string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	used := len(content) // files are allocated ahead: most flips go to what is used
	for used > 0 && content[used-1] == 0 {
		used--
	}
	if used == 0 || rng.IntN(10) == 0 {
		used = len(content)
	}
	kind := rng.IntN(20)
	if used == 0 {
		kind = 19
	}
	var what string
	switch {
	case kind < 12:
		at, bit := rng.IntN(used), rng.IntN(8)
		content[at] ^= 1 << bit
		what = fmt.Sprintf("bit %d of byte %d of %d flipped", bit, at, len(content))
	case kind < 15:
		at := rng.IntN(used) &^ 511
		clear(content[at:min(at+4096, len(content))])
		what = fmt.Sprintf("zeros at %d of %d", at, len(content))
	case kind < 18:
		n := rng.IntN(used)
		what = fmt.Sprintf("truncated to %d of %d", n, len(content))
		content = content[:n]
	case kind < 19:
		content, what = nil, "emptied"
	default:
		return "removed", os.Remove(path)
	}
	return what, os.WriteFile(path, content, 0o600)
}

// verdict of opening a damaged directory.
type verdict string

const (
	verdictRight   verdict = "right"   // everything is there
	verdictRefused verdict = "refused" // as damaged, with a way out
)

// judge opens a directory in a process of its own, and says what it made of
// it. Everything but a right answer and a refusal is an error.
func (r *rotten) judge(t *testing.T, cfg childConfig) (verdict, error) {
	t.Helper()
	_ = os.Remove(cfg.Dump)
	p := start(t, cfg)
	err := p.ready(60 * time.Second)
	var no *refused
	if errors.As(err, &no) {
		return verdictRefused, no.useful()
	}
	if err != nil {
		return "", err
	}
	select {
	case line := <-p.lines: // noticed while it was used
		<-p.done
		return verdictRefused, r.later(line)
	case <-p.done:
	case <-time.After(60 * time.Second):
		return "", errors.New("does not end")
	}
	if p.err != nil {
		return "", p.died()
	}
	got, err := readDump(cfg.Dump)
	if err != nil {
		return "", err
	}
	if d := differences(r.want, got); d != "" {
		return "", fmt.Errorf("silently wrong:\n%s", d)
	}
	return verdictRight, nil
}

func (r *rotten) later(line string) error {
	if !strings.Contains(line, "damaged") && !strings.Contains(line, "stopped") {
		return fmt.Errorf("child says %s", line)
	}
	return nil
}

// useful: a refusal is one for damage, and says what to do.
func (r *refused) useful() error {
	if !r.Corrupt {
		return fmt.Errorf("refused, but not as damaged: %s", r.Text)
	}
	if !strings.Contains(r.Text, "Put ") && !strings.Contains(r.Text, "move it away") {
		return fmt.Errorf("refused without a way out: %s", r.Text)
	}
	return nil
}

// TestBitRot: whatever a disk does to a file at rest, New answers with
// everything or not at all.
func TestBitRot(t *testing.T) {
	t.Parallel()
	rng := random(t)
	dir := memory(t)
	all := []*rotten{grow(t, dir, "closed", rng), grow(t, dir, "killed", rng)}
	counts := map[string]map[verdict]int{}
	for i := range *flips {
		r := all[i%2]
		class := r.order[(i/2)%len(r.order)]
		name := r.classes[class][rng.IntN(len(r.classes[class]))]
		copied := filepath.Join(dir, "copy")
		if err := copySparse(r.dir, copied, name); err != nil {
			t.Fatal(err)
		}
		cfg := configIn(copied, rng)
		cfg.Mode = modeLook
		what, err := damage(filepath.Join(cfg.Dir, name), rng)
		if err != nil {
			t.Fatal(err)
		}
		first, err := r.judge(t, cfg)
		if err == nil { // and what was mended stays so
			var second verdict
			if second, err = r.judge(t, cfg); err == nil && first == verdictRight && second != verdictRight {
				err = fmt.Errorf("opened at first, then was %s", second)
			}
		}
		if err != nil {
			t.Errorf("%s directory, %s: %s:\n%v", r.name, name, what, err)
			if *keep != "" {
				_ = os.CopyFS(filepath.Join(*keep, fmt.Sprintf("bitrot-%d", i)), os.DirFS(copied))
			}
		}
		key := r.name + " " + class
		if counts[key] == nil {
			counts[key] = map[verdict]int{}
		}
		counts[key][first]++
		if err := os.RemoveAll(copied); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range all {
		for _, class := range r.order {
			t.Logf("%-6s %-14s %v", r.name, class, counts[r.name+" "+class])
		}
	}
}

// copySparse copies a directory without writing its zeros; the reserve, which
// is nothing else, only if it is wanted.
func copySparse(from, to, wanted string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if d.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if d.Name() == "reserve" && wanted != "reserve" {
			return nil
		}
		return copyFile(path, target)
	})
}

func copyFile(from, to string) (err error) {
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := f.Truncate(int64(len(content))); err != nil {
		return err
	}
	for off := 0; off < len(content); off += 1 << 16 {
		part := content[off:min(off+1<<16, len(content))]
		if zero(part) {
			continue
		}
		if _, err := f.WriteAt(part, int64(off)); err != nil {
			return err
		}
	}
	return nil
}

// TestDifferences is the control of TestBitRot: what is silently wrong is seen.
func TestDifferences(t *testing.T) {
	for name, spoil := range map[string]func(d *dump){
		"nothing":     func(*dump) {},
		"job":         func(d *dump) { delete(d.Jobs, "amo") },
		"row":         func(d *dump) { d.Jobs["tick"].Rows = d.Jobs["tick"].Rows[1:] },
		"status":      func(d *dump) { d.Jobs["tick"].Rows[1].Status = "failed" },
		"payload bit": func(d *dump) { d.Jobs["tick"].Versions[0].Payload = "x" },
	} {
		_, want := story()
		_, got := story()
		spoil(got)
		if diff := differences(want, got); (diff == "") != (name == "nothing") {
			t.Errorf("%s: differences are %q", name, diff)
		}
	}
}
