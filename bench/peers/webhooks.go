package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/chronos-go/chronos"
)

// receiver counts requests.
type receiver struct {
	server *http.Server
	url    string
	got    atomic.Int64
}

func (c *child) receiver() (*receiver, error) {
	l, err := new(net.ListenConfig).Listen(c.ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &receiver{url: "http://" + l.Addr().String() + "/hook"}
	r.server = &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		_, err := io.Copy(io.Discard, q.Body)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.got.Add(1)
	})}
	go func() { _ = r.server.Serve(l) }() // it ends with an error when it is closed
	return r, nil
}

// hooksPlain is what net/http does from as many callers.
func hooksPlain(c *child) error {
	r, err := c.receiver()
	if err != nil {
		return err
	}
	defer r.server.Close()
	callers := c.Settings.Sizes.Callers
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: callers}}
	ctx, cancel := context.WithTimeout(c.ctx, c.Settings.Sizes.Hooks)
	defer cancel()
	var sent atomic.Int64
	errs := make([]error, callers)
	var working sync.WaitGroup
	began, used := time.Now(), processorTime()
	for i := range callers {
		working.Go(func() {
			for ctx.Err() == nil && errs[i] == nil {
				errs[i] = post(client, r.url)
				sent.Add(1)
			}
		})
	}
	working.Wait()
	c.requests(r, time.Since(began), processorTime()-used)
	c.control("requests that arrived", c.counted(r.got.Load()), sent.Load())
	return errors.Join(errs...)
}

func post(client *http.Client, url string) error {
	q, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader([]byte(`{"hello":"world"}`)))
	if err != nil {
		return err
	}
	q.Header.Set("Content-Type", "application/json")
	a, err := client.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	_, err = io.Copy(io.Discard, a.Body)
	return err
}

func (c *child) requests(r *receiver, took, used time.Duration) {
	n := r.got.Load()
	c.figure("rate", float64(n)/took.Seconds(), "/s")
	c.figure("cpu", float64(used.Microseconds())/float64(max(n, 1)), "µs/request")
}

// hooksChronos makes as many requests at once, each of them recorded: its client has
// so many connections, and what waits for one has been assigned already.
func hooksChronos(c *child) error {
	return c.hooks(chronos.Options{Client: &http.Client{Transport: &http.Transport{
		MaxConnsPerHost: c.Settings.Sizes.Callers, MaxIdleConnsPerHost: c.Settings.Sizes.Callers,
	}}})
}

// hooksRoom has the scheduler start no more than that, and its own client.
func hooksRoom(c *child) error {
	return c.hooks(chronos.Options{Concurrency: c.Settings.Sizes.Callers})
}

func (c *child) hooks(o chronos.Options) error {
	r, err := c.receiver()
	if err != nil {
		return err
	}
	defer r.server.Close()
	jobs := onDemand(c.Settings.Sizes.Feeds)
	for i := range jobs {
		jobs[i].Handler, jobs[i].Webhook, jobs[i].Payload = "", &chronos.Webhook{URL: r.url}, []byte(`{"hello":"world"}`)
	}
	o.Dir, o.Retention = c.path("data"), unbounded
	s, err := c.open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	f := &feed{}
	stop, err := s.run(f.handle, jobs)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.ctx, c.Settings.Sizes.Hooks)
	defer cancel()
	began, used := time.Now(), processorTime()
	err = s.backfillWhile(ctx, f, jobs, 8*perCall, -1, func() int64 { return f.made.Load() - r.got.Load() })
	if err == nil {
		err = s.settle(c.ctx, jobs)
	}
	c.requests(r, time.Since(began), processorTime()-used)
	if err := errors.Join(err, stop()); err != nil {
		return err
	}
	ended, err := s.succeeded(c.ctx)
	c.control("rows that succeeded, for as many requests", c.counted(r.got.Load()), ended)
	return err
}
