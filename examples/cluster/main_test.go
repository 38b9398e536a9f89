package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/internal/testleak"
)

// TestMain is main for the nodes, which are this program again.
func TestMain(m *testing.M) {
	if home := os.Getenv(nodeEnv); home != "" {
		os.Exit(nodeMain(home, os.Stdin, os.Stdout))
	}
	os.Exit(testleak.Run(m))
}

// The whole of it, with shorter pauses.
func TestShow(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // to see that nothing is left there
	var out bytes.Buffer
	if err := show(t.Context(), &out, time.Second); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	contains(t, out.String(),
		"Three processes become one scheduler",
		"Somebody without a certificate gets: remote error: tls: certificate required",
		"  leads, and is killed in the middle of its work",
		" is started again, at 127.0.0.1:",
		"has joined, and takes work",
		"each has one row and succeeded: none is lost, none doubled",
		" a  has stopped", " b  has stopped", " c  has stopped",
	)
	shares := regexp.MustCompile(`starts     a (\d+), b (\d+), c (\d+)`).FindStringSubmatch(out.String())
	if len(shares) != 4 || shares[1] == "0" || shares[2] == "0" || shares[3] == "0" {
		t.Errorf("the work was not spread: %q", shares)
	}
	over := regexp.MustCompile(`(\w)  leads, and is killed(?s:.*)fail-over  (\w) leads`).FindStringSubmatch(out.String())
	if len(over) != 3 || over[1] == over[2] {
		t.Errorf("nobody else led after the kill: %q", over)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// Whoever interrupts it gets an end, without anything that goes on.
func TestShowEndsEarly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := &trigger{word: []byte("mails     starts"), pull: cancel}
	if err := show(ctx, out, time.Hour); err == nil {
		t.Error("it was interrupted, and says that all is well")
	}
}

// trigger calls a function when a word is written.
type trigger struct {
	word []byte
	pull func()
}

func (w *trigger) Write(p []byte) (int, error) {
	if bytes.Contains(p, w.word) {
		w.pull()
	}
	return len(p), nil
}

// A node does not outlive its parent, whatever it is at.
func TestNodeEndsWithParent(t *testing.T) {
	home := homeOf(t, "a")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), nodeEnv+"="+home)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if _, err := io.ReadFull(stdout, make([]byte, 1)); err != nil { // it listens
		t.Fatal(err)
	}
	// A peer that never comes: New waits for it.
	if _, err := io.WriteString(stdin, `{"Peers":[{"Node":"a","Addr":"127.0.0.1:1"},{"Node":"b","Addr":"127.0.0.1:1"}]}`+"\n"); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	if err := cmd.Wait(); err == nil {
		t.Error("it ended as if it had been told to")
	}
}

// Only who has a certificate of the cluster's authority gets anything.
func TestStrangers(t *testing.T) {
	home := homeOf(t, "a")
	ours, err := mutualTLS(home)
	if err != nil {
		t.Fatal(err)
	}
	addr := alone(t, home, ours)
	if answer, err := knock(t.Context(), addr, ours); err != nil || !strings.HasPrefix(string(answer), "CHRM") {
		t.Fatalf("with a certificate: %q, %v", answer, err)
	}

	without := ours.Clone()
	without.Certificates = nil
	foreign, err := mutualTLS(homeOf(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	foreign.RootCAs = ours.RootCAs // it knows us, but we do not know it
	for name, config := range map[string]*tls.Config{"no certificate": without, "one of another authority": foreign} {
		if answer, err := knock(t.Context(), addr, config); err == nil || len(answer) > 0 {
			t.Errorf("%s: got %q, %v", name, answer, err)
		}
	}

	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if answer, err := hello(t.Context(), conn); err == nil || strings.HasPrefix(string(answer), "CHRM") {
		t.Errorf("no TLS: got %q, %v", answer, err)
	}

	foreign, err = mutualTLS(homeOf(t, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := knock(t.Context(), addr, foreign); err == nil {
		t.Error("a node takes somebody else's certificate")
	}
}

// homeOf is the directory of a node whose authority knows no other.
func homeOf(t *testing.T, name string) string {
	t.Helper()
	dir := t.TempDir()
	if err := makeCerts(dir, []string{name}); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, name)
}

// alone is the address of a cluster of one node.
func alone(t *testing.T, home string, config *tls.Config) string {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := plain.Addr().String()
	s, err := chronos.New(options("a", home, tls.NewListener(plain, config), config, []chronos.Peer{{Node: "a", Addr: addr}}))
	if err != nil {
		plain.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return addr
}

// Keys are for their user only.
func TestKeysArePrivate(t *testing.T) {
	home := homeOf(t, "a")
	for _, name := range []string{caFile, certFile, keyFile} {
		info, err := os.Stat(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 && os.PathSeparator == '/' {
			t.Errorf("%s has mode %v", name, mode)
		}
	}
}

// The audit finds what it is there for.
func TestAudit(t *testing.T) {
	since := time.Date(2026, 3, 1, 12, 0, 0, 500, time.UTC)
	to := since.Add(3 * time.Second)
	kill := &failover{killed: "a", at: since.Add(1500 * time.Millisecond)}
	good := func() (*ledger, []start) {
		book, seen := &ledger{Since: map[string]time.Time{}}, []start(nil)
		for _, job := range jobs() {
			book.Since[job.ID] = since
			for due := range job.Schedule.Between(since, to) {
				book.Rows = append(book.Rows, row{Job: job.ID, Due: due, Created: due, Status: chronos.StatusSucceeded, Count: 1, Attempts: 1})
				seen = append(seen, start{Job: job.ID, Due: due, At: due, Attempt: 1, node: "b"})
			}
		}
		return book, seen
	}
	book, seen := good()
	if f := audit(book, seen, kill, to); f.err() != nil || f.instants != 9 || !f.next.Equal(since.Truncate(time.Second).Add(2*time.Second)) {
		t.Errorf("nothing is wrong: %+v", f)
	}
	for want, spoil := range map[string]func(*ledger, *[]start){
		"has 0 rows":               func(b *ledger, _ *[]start) { b.Rows = b.Rows[1:] },
		"has 2 rows":               func(b *ledger, _ *[]start) { b.Rows = append(b.Rows, b.Rows[4]) },
		"says missed":              func(b *ledger, _ *[]start) { b.Rows[2].Status = chronos.StatusMissed },
		"counts 2 instants":        func(b *ledger, _ *[]start) { b.Rows[2].Count = 2 },
		"has a row, but was not d": func(b *ledger, _ *[]start) { b.Rows = append(b.Rows, row{Job: "mails", Due: since}) },
		"was not seen to start":    func(_ *ledger, s *[]start) { *s = (*s)[1:] },
		"was started once more":    func(_ *ledger, s *[]start) { *s = append(*s, (*s)[3]) },
		"was started on b, but wa": func(_ *ledger, s *[]start) { *s = append(*s, start{Job: "mails", Due: since, node: "b"}) },
		"the job is not there":     func(b *ledger, _ *[]start) { delete(b.Since, "mails") },
	} {
		book, seen := good()
		spoil(book, &seen)
		err := audit(book, seen, kill, to).err()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
}

func contains(t *testing.T, out string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			t.Errorf("output lacks %q", w)
		}
	}
}
