// Licences finds the licence of every module that the packages, tests and tools of
// some modules are built from, on Linux, macOS and Windows, and fails on one that
// is not allowed, or that it does not know.
//
//	go run ./licences -root .. . prometheus otel
//
// It reads the licence files beside each package and above it, up to the top of
// its module, and knows them by their text.
package main

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ours is not checked against itself.
const ours = "github.com/chronos-go/chronos"

func main() {
	root := flag.String("root", ".", "the top of the repository")
	also := flag.String("also", "", "licences that are allowed beside the others, with commas")
	except := flag.String("except", "", "modules that somebody has looked at, with commas: their licences are passed over")
	flag.Parse()
	split := func(s string) []string { return strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) }
	if err := run(os.Stdout, *root, split(*also), split(*except), flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // a program
	}
}

func run(out io.Writer, root string, also, except, dirs []string) error {
	found := map[string]*dependency{}
	for _, dir := range dirs {
		for _, system := range []string{"linux", "darwin", "windows"} {
			if err := list(filepath.Join(root, dir), system, found); err != nil {
				return fmt.Errorf("%s, for %s: %w", dir, system, err)
			}
		}
	}
	if len(found) == 0 {
		return errors.New("no dependency was found: there are some")
	}
	var errs []error
	count := map[string]int{}
	passed := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		if path, _, _ := strings.Cut(name, " "); slices.Contains(except, path) {
			passed[path] = true
			fmt.Fprintf(out, "%-28s %s\n", "(passed over)", name)
			continue
		}
		licences, err := found[name].licences(append(slices.Clone(allowed), also...))
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
			continue
		}
		text := strings.Join(licences, ", ")
		count[text]++
		fmt.Fprintf(out, "%-28s %s\n", text, name)
	}
	fmt.Fprintf(out, "%d modules:", len(found))
	for _, text := range slices.Sorted(maps.Keys(count)) {
		fmt.Fprintf(out, " %s %d;", text, count[text])
	}
	fmt.Fprintln(out)
	for _, path := range except {
		if !passed[path] {
			errs = append(errs, fmt.Errorf("%s is an exception, and no dependency: take it out", path))
		}
	}
	return errors.Join(errs...)
}

// dependency is a module at a version.
type dependency struct {
	dir      string
	packages map[string]bool // directories
}

// list adds what a module is built from on one system.
func list(dir, system string, found map[string]*dependency) error {
	const format = `{{with .Module}}{{.Path}} {{.Version}}` + "\t" + `{{.Dir}}` + "\t" + `{{$.Dir}}{{end}}`
	cmd := exec.Command("go", "list", "-deps", "-test", "-f", format, "./...", "tool") //nolint:noctx // it ends when this program does
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOOS="+system, "CGO_ENABLED=0")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		f := strings.Split(lines.Text(), "\t")
		if len(f) != 3 {
			continue // of the standard library
		}
		if path, _, _ := strings.Cut(f[0], " "); path == ours || strings.HasPrefix(path, ours+"/") {
			continue
		}
		d := found[f[0]]
		if d == nil {
			d = &dependency{dir: f[1], packages: map[string]bool{}}
			found[f[0]] = d
		}
		if f[1] == "" {
			return fmt.Errorf("%s is not in the module cache: run go mod download", f[0])
		}
		d.packages[f[2]] = true
	}
	return nil
}
