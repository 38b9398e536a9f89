package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// process is a service under a supervisor, which asks it now and then.
type process struct {
	*service
	url     string
	sigterm func()
	ended   chan error
}

func start(ctx context.Context, s *service) (*process, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	ctx, sigterm := context.WithCancel(ctx)
	p := &process{service: s, url: "http://" + l.Addr().String(), sigterm: sigterm, ended: make(chan error, 1)}
	go func() { p.ended <- s.run(ctx, l) }()
	return p, nil
}

// probe asks until the answer is the one that is wanted.
func (p *process) probe(ctx context.Context, want string) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/readyz", nil)
		if err != nil {
			return err
		}
		req.Close = true
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		text, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil {
			return err
		}
		if got := strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", string(text))); got == want {
			p.tell("answers its probe: %s", want)
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// show deploys once. The new version does in no time what the old one takes
// minutes for.
func show(ctx context.Context, w io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "chronos-deploy-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	out, seen := &printer{w: w}, make(chan struct{})
	began := make(chan struct{}, 1)
	v1, err := start(ctx, &service{name: "v1", dir: dir, out: out, drain: 300 * time.Millisecond, step: time.Minute, notice: func() { <-seen }, began: began})
	if err != nil {
		return err
	}
	defer func() { v1.sigterm(); err = errors.Join(err, <-v1.ended) }()
	defer close(seen)
	if err := v1.probe(ctx, "200"); err != nil {
		return err
	}
	x, err := v1.scheduler.Load().Trigger(ctx, "import", chronos.TriggerRequest{Note: "during a deployment"})
	if err != nil {
		return err
	}
	select {
	case <-began:
	case <-ctx.Done():
		return ctx.Err()
	}
	v2, err := start(ctx, &service{name: "v2", dir: dir, out: out, drain: time.Second, step: time.Millisecond, notice: func() {}})
	if err != nil {
		return err
	}
	defer func() { v2.sigterm(); err = errors.Join(err, <-v2.ended) }()
	if err := v2.probe(ctx, "503 "+waits); err != nil {
		return err
	}

	out.line("-- v1 gets SIGTERM")
	v1.sigterm()
	if err := v1.probe(ctx, "503 stopping"); err != nil {
		return err
	}
	seen <- struct{}{}
	if err := v2.probe(ctx, "200"); err != nil {
		return err
	}
	s := v2.scheduler.Load()
	if x, err = s.Wait(ctx, x.ID); err != nil {
		return err
	}
	time.Sleep(500 * time.Millisecond) // to have something to count
	first := x.Attempts[0]
	out.line("-- The ledger: import %s at attempt %d; attempt 1 ended as %s(%s)", x.Status, x.Attempt, first.Status, first.Reason)
	n, err := audit(ctx, s, "tick", time.Now())
	if err == nil {
		out.line("   tick was due %d times from first to last, and ran as often", n)
	}
	return err
}

// audit compares when a job was due with what the ledger has.
func audit(ctx context.Context, s *chronos.Scheduler, id string, to time.Time) (int, error) {
	job, err := s.Get(ctx, id)
	if err != nil {
		return 0, err
	}
	due := map[int64]bool{}
	for at := range job.Schedule.Between(job.State.CreatedAt, to) {
		due[at.UnixNano()] = true
	}
	n := len(due)
	for x, err := range s.Executions(ctx, chronos.Query{Job: id, To: to}) {
		if err != nil {
			return n, err
		}
		if x, err = s.Wait(ctx, x.ID); err != nil {
			return n, err
		}
		if x.Status != chronos.StatusSucceeded || x.Count != 1 || !due[x.Due.UnixNano()] {
			return n, fmt.Errorf("%s, due %v, is not as it has to be: %+v", id, x.Due, x)
		}
		delete(due, x.Due.UnixNano())
	}
	if len(due) > 0 {
		return n, fmt.Errorf("%s: %d due instants have no row", id, len(due))
	}
	return n, nil
}

// printer keeps lines whole.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

func (p *printer) line(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, format+"\n", args...)
}
