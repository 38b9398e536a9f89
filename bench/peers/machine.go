package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// machine is where figures are from.
type machine struct {
	OS, Arch, Go          string
	Cores                 int
	Memory                int64 // bytes
	LoadBefore, LoadAfter float64
	Dir, FileSystem       string
	FsyncP50, FsyncP99    time.Duration
}

func survey(dir string) machine {
	m := machine{
		OS: runtime.GOOS, Arch: runtime.GOARCH, Go: runtime.Version(), Cores: runtime.GOMAXPROCS(0),
		Memory: procField("/proc/meminfo", "MemTotal") << 10, LoadBefore: load(), Dir: dir, FileSystem: fileSystem(dir),
	}
	m.FsyncP50, m.FsyncP99 = fsyncTime(dir)
	return m
}

func (m *machine) after() { m.LoadAfter = load() }

func (m machine) String() string {
	return fmt.Sprintf("%s/%s, %d cores, %.1f GiB, %s, load %.2f\ndata on %s (%s): write of 4 KiB and fsync p50 %v, p99 %v\n",
		m.OS, m.Arch, m.Cores, float64(m.Memory)/(1<<30), m.Go, m.LoadBefore, m.FileSystem, m.Dir, m.FsyncP50, m.FsyncP99)
}

// load is the machine's average over the last minute, 0 if that is not known.
func load() float64 {
	var one float64
	text, _ := os.ReadFile("/proc/loadavg") // Linux has it
	_, _ = fmt.Sscan(string(text), &one)
	return one
}

// fsyncTime is what the disk takes to keep a page.
func fsyncTime(dir string) (p50, p99 time.Duration) {
	f, err := os.CreateTemp(dir, "fsync-")
	if err != nil {
		return 0, 0
	}
	defer os.Remove(f.Name())
	defer f.Close()
	var all []time.Duration
	page := make([]byte, 4096)
	for range 200 {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0, 0
		}
		if err := f.Sync(); err != nil {
			return 0, 0
		}
		all = append(all, time.Since(began))
	}
	slices.Sort(all)
	return percentile(all, 0.5).Round(time.Microsecond), percentile(all, 0.99).Round(time.Microsecond)
}

// fileSystem names what a directory is on, as the mount table has it.
func fileSystem(dir string) string {
	text, err := os.ReadFile("/proc/mounts")
	if err != nil {
		return "an unknown file system"
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	best, kind := "", "an unknown file system"
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 3 || len(f[1]) < len(best) {
			continue
		}
		if f[1] == "/" || dir == f[1] || strings.HasPrefix(dir, f[1]+"/") {
			best, kind = f[1], f[2]
		}
	}
	if kind == "tmpfs" {
		return "tmpfs (memory: fsync costs nothing)"
	}
	return kind
}

// procField is a number behind a name in a file of Linux' /proc.
func procField(file, name string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			var n int64
			_, _ = fmt.Sscan(rest, &n)
			return n
		}
	}
	return 0
}

// fields are the values of a name in text of lines "name:value".
func fields(text, name string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+":"); ok {
			out = append(out, v)
		}
	}
	return out
}
