// Proxy runs a command with a module proxy that knows Chronos as a module without
// a release beside v0.0.0, whatever the world has of it, and hands on everything
// else. A host outside of the repository needs that for "go get -u": it asks for
// the versions also of a module that it has replaced.
//
//	go run ./proxy go get -u ./...
package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code) //nolint:forbidigo // a program
}

func run(command []string) (int, error) {
	if len(command) == 0 {
		return 2, errors.New("no command")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with the command
	if err != nil {
		return 1, err
	}
	server := &http.Server{Handler: handler(upstream(os.Getenv("GOPROXY"))), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(l) }() // until it is closed
	defer server.Close()
	cmd := exec.Command(command[0], command[1:]...) //nolint:noctx // the caller ends it
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "GOPROXY=http://"+l.Addr().String(), "GONOSUMDB=github.com/chronos-go/chronos")
	if err := cmd.Run(); err != nil {
		return 1, err
	}
	return 0, nil
}

// upstream is the first proxy that is one.
func upstream(list string) string {
	for _, p := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == '|' }) {
		if strings.HasPrefix(p, "http") {
			return strings.TrimSuffix(p, "/")
		}
	}
	return "https://proxy.golang.org"
}

func handler(upstream string) http.Handler {
	const ours = "/github.com/chronos-go/chronos"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == ours+"/@v/list":
			fmt.Fprintln(w, "v0.0.0")
		case path == ours+"/@v/v0.0.0.info":
			_, _ = io.WriteString(w, `{"Version":"v0.0.0","Time":"2026-01-01T00:00:00Z"}`)
		case strings.HasPrefix(path, ours+"/"):
			http.NotFound(w, r)
		default:
			http.Redirect(w, r, upstream+r.URL.EscapedPath(), http.StatusFound)
		}
	})
}
