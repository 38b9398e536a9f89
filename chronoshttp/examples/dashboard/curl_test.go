package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// command is a call of curl in docs/http.md, with the status that the line above it
// promises.
type command struct {
	line, status string
}

// commands are those of the page's block of shell, and what is set there first.
func commands(t *testing.T) (setting string, out []command) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```sh\n")
	block, _, _ := strings.Cut(rest, "```")
	said := regexp.MustCompile(`(?m)^# .*: (\d{3})\n(curl .*)$`).FindAllStringSubmatch(block, -1)
	for _, m := range said {
		out = append(out, command{m[2], m[1]})
	}
	if n := strings.Count(block, "curl "); n < 6 || n != len(out) {
		t.Fatalf("%d of %d commands say their status", len(out), n)
	}
	setting, _, _ = strings.Cut(block, "\n")
	return setting, out
}

// words takes a line apart as a shell does, as far as the page goes.
func words(line string, env map[string]string) (out []string) {
	expand := func(name string) string { return env[name] }
	for _, m := range regexp.MustCompile(`'([^']*)'|"([^"]*)"|(\S+)`).FindAllStringSubmatch(line, -1) {
		switch {
		case m[0][0] == '\'':
			out = append(out, m[1])
		case m[0][0] == '"':
			out = append(out, os.Expand(m[2], expand))
		default:
			out = append(out, os.Expand(m[3], expand))
		}
	}
	return out
}

// request makes of a command the request that curl would send.
func request(t *testing.T, args []string) *http.Request {
	t.Helper()
	method, body, user, target := "", "", "", ""
	header := http.Header{}
	for i := 1; i < len(args); i++ {
		switch args[i] {
		case "-I":
			method = http.MethodHead
			continue
		case "-u", "-X", "-H", "-d":
		default:
			if strings.HasPrefix(args[i], "-") || target != "" {
				t.Fatalf("this test does not know %s in %q", args[i], args)
			}
			target = args[i]
			continue
		}
		value := args[i+1]
		switch args[i] {
		case "-u":
			user = value
		case "-X":
			method = value
		case "-H":
			name, text, _ := strings.Cut(value, ": ")
			header.Set(name, text)
		case "-d":
			body = value
		}
		i++
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header = header
	name, password, _ := strings.Cut(user, ":")
	req.SetBasicAuth(name, password)
	return req
}

// dashboard serves the example, and answers with its address.
func dashboard(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, l, "", "secret") }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return l.Addr().String()
}

// The commands of docs/http.md are answered as it says.
func TestCommandsOfTheDocs(t *testing.T) {
	setting, all := commands(t)
	env := map[string]string{"CHRONOS": strings.Replace(strings.TrimPrefix(setting, "CHRONOS="), "127.0.0.1:8080", dashboard(t), 1), "CHRONOS_PASSWORD": "secret"}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	has := []string{`"id":"rebuild-index"`, `"note":"after the import"`, `"key":"after-the-import"`, "", `"code":"precondition-failed"`, ""}
	for i, c := range all {
		resp, err := client.Do(request(t, words(c.line, env)))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if status := resp.Status[:3]; err != nil || status != c.status || !strings.Contains(string(body), has[i]) {
			t.Errorf("%s\n%s, not %s: %s %v", c.line, status, c.status, body, err)
		}
		if tag := resp.Header.Get("ETag"); strings.Contains(c.line, " -I ") && !strings.Contains(all[i+2].line, tag) {
			t.Errorf("the page goes on with another version than %s", tag)
		}
	}
}

// The shell and curl understand them in the same way.
func TestCommandsWithCurl(t *testing.T) {
	for _, name := range []string{"sh", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("%v; TestCommandsOfTheDocs makes the same requests", err)
		}
	}
	setting, all := commands(t)
	script := strings.Replace(setting, "127.0.0.1:8080", dashboard(t), 1) + `
curl() { command curl --noproxy '*' --silent --output /dev/null --write-out '%{http_code} ' "$@"; }`
	var want strings.Builder
	for _, c := range all {
		script += "\n" + c.line
		want.WriteString(c.status + " ")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-euc", script)
	cmd.Env = append(os.Environ(), "CHRONOS_PASSWORD=secret")
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != want.String() {
		t.Errorf("%v: %s, not %s", err, out, want.String())
	}
}
