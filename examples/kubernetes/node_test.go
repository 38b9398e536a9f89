package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chronos-go/chronos"
)

// dns is what the headless service does: the address of each pod by its name.
type dns struct {
	mu    sync.Mutex
	addrs map[string]string
}

func (d *dns) set(name, addr string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.addrs[name] = addr
}

func (d *dns) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d.mu.Lock()
	real, ok := d.addrs[addr]
	d.mu.Unlock()
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: addr, IsNotFound: true}
	}
	return (&net.Dialer{Timeout: 2 * time.Second}).DialContext(ctx, network, real)
}

// pod is a pod that runs.
type pod struct {
	*node
	url  string
	stop func()
	done chan error
}

func start(t *testing.T, d *dns, c config) *pod {
	t.Helper()
	listen := func() net.Listener {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	web, port := listen(), listen()
	for _, p := range c.peers {
		if p.Node == c.name {
			d.set(p.Addr, port.Addr().String())
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	p := &pod{node: &node{config: c, dial: d.dial}, url: "http://" + web.Addr().String(), stop: stop, done: make(chan error, 1)}
	go func() { p.done <- p.run(ctx, web, port) }()
	return p
}

// ask is a probe.
func (p *pod) ask(t *testing.T, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, strings.TrimSpace(string(text))
}

// until asks for readiness as the kubelet does.
func (p *pod) until(t *testing.T, want int) {
	t.Helper()
	for {
		select {
		case err := <-p.done:
			t.Fatalf("%s has ended: %v", p.name, err)
		default:
		}
		if code, _ := p.ask(t, "/livez"); code != http.StatusOK {
			t.Fatalf("%s would be killed: %d", p.name, code)
		}
		if code, _ := p.ask(t, "/readyz"); code == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// The pods of the manifests become a cluster; one loses its volume and is filled
// anew.
func TestCluster(t *testing.T) {
	m := read(t)
	certs := mount(t, newSecret(t))
	d := &dns{addrs: map[string]string{}}
	configs := make([]config, *m.set.Spec.Replicas)
	pods := make([]*pod, len(configs))
	for i := range configs {
		env := m.environment(t, i)
		env["CHRONOS_TLS"], env["CHRONOS_VOLUME"] = certs, t.TempDir()
		c, err := configOf(func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		configs[i] = c
	}
	for i := range pods[1:] {
		pods[i] = start(t, d, configs[i])
	}
	if code, text := pods[0].ask(t, "/readyz"); code != http.StatusServiceUnavailable || text != "waiting for the others" {
		t.Errorf("before all are there: %d %s", code, text)
	}
	last := len(pods) - 1
	pods[last] = start(t, d, configs[last])
	for _, p := range pods {
		p.until(t, http.StatusOK)
	}

	// The pod is deleted, and its claim: it comes back under its name with nothing.
	pods[1].stop()
	if err := <-pods[1].done; err != nil {
		t.Errorf("a pod that was deleted: %v", err)
	}
	if err := os.RemoveAll(configs[1].dir); err != nil {
		t.Fatal(err)
	}
	pods[1] = start(t, d, configs[1])
	pods[1].until(t, http.StatusOK)
	if job, err := pods[1].scheduler.Load().Get(t.Context(), "report"); err != nil || job.Version != 1 {
		t.Errorf("what it was sent: %+v, %v", job, err)
	}

	for _, p := range pods { // all at once: the last ones have no majority to tell
		p.stop()
	}
	for _, p := range pods {
		if err := <-p.done; err != nil {
			t.Errorf("%s: %v", p.name, err)
		}
	}
}

// Who has nothing yet, does not run, or stops is not ready, and lives.
func TestProbes(t *testing.T) {
	s, err := chronos.New(chronos.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	n := &node{}
	get := func(path string) int {
		w := httptest.NewRecorder()
		n.probes().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		return w.Code
	}
	check := func(when string, livez, readyz int) {
		t.Helper()
		if l, r := get("/livez"), get("/readyz"); l != livez || r != readyz {
			t.Errorf("%s: livez %d, readyz %d, want %d and %d", when, l, r, livez, readyz)
		}
	}
	check("before it is open", 200, 503)
	n.scheduler.Store(s)
	check("before Run", 200, 503)
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- s.Run(ctx) }()
	for !s.Status().Running {
		time.Sleep(time.Millisecond)
	}
	check("while it runs", 200, 200)
	n.stopping.Store(true)
	check("while it stops", 200, 503)
	cancel()
	if err := errors.Join(<-ran, s.Close()); err != nil {
		t.Error(err)
	}
}
