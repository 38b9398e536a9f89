package chronoshttp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/chronos-go/chronos"
)

// Defaults of a Config.
const (
	defaultMaxBody    = 1 << 20
	defaultMaxStreams = 100
	defaultHeartbeat  = 15 * time.Second
)

// Config says what a Handler serves, and to whom.
type Config struct {
	// Scheduler is what is served. Required. The handler does not close it.
	Scheduler *chronos.Scheduler
	// Authorize decides on every request, the pages of the dashboard included.
	// Default: everything is refused. It answers with who asks, which versions,
	// pauses and triggers keep as their actor (at most 256 bytes), or with an
	// error: ErrUnauthenticated becomes 401, any other 403. The text of the error
	// goes to Logger, not to the caller.
	//
	// It is called again every Heartbeat while a stream of events is open, and
	// once for each Action when the dashboard asks what it may offer
	// (Access.Probe), so it should be quick and change nothing.
	Authorize func(r *http.Request, a Access) (actor string, err error)
	// Challenge is sent as WWW-Authenticate with every 401, for example
	// `Basic realm="chronos"`. Default: no such header.
	Challenge string
	// AllowedOrigins may call the API from their own pages (CORS), each
	// "scheme://host" or "scheme://host:port". Cookies are not let through: they
	// have to send an Authorization header. Default: none.
	AllowedOrigins []string
	// TrustedOrigins may send writes although the browser calls them cross-site:
	// the origins under which a proxy serves the dashboard, if it changes the Host
	// header. Default: none.
	TrustedOrigins []string
	// NoDashboard leaves the pages out and serves the API only.
	NoDashboard bool
	// MaxBody bounds the body of a request. Default 1 MiB.
	MaxBody int64
	// MaxStreams bounds the streams of events that are open at once; who is
	// beyond it gets 503. Default 100.
	MaxStreams int
	// Heartbeat is how often a stream of events sends a beat, so that both ends and
	// the proxies between see that it is alive. Default 15 s, at least 1 s.
	Heartbeat time.Duration
	// Logger gets refusals, and errors that are not the caller's. Default
	// slog.Default().
	Logger *slog.Logger
}

// Handler serves the API and the dashboard. It is a http.Handler for any mux;
// under a prefix, put it behind http.StripPrefix.
type Handler struct {
	config  Config
	log     *slog.Logger
	guard   *http.CrossOriginProtection
	origins map[string]bool // that CORS lets in
	assets  map[string]asset
	streams chan struct{} // a place for each stream

	closing sync.Once
	closed  context.Context
	end     context.CancelFunc
}

// New makes a handler.
func New(c Config) (*Handler, error) {
	if err := c.fill(); err != nil {
		return nil, err
	}
	h := &Handler{
		config: c, log: c.Logger, guard: http.NewCrossOriginProtection(),
		origins: map[string]bool{}, streams: make(chan struct{}, c.MaxStreams),
	}
	for _, origin := range c.AllowedOrigins {
		h.origins[origin] = true
		if err := h.guard.AddTrustedOrigin(origin); err != nil {
			return nil, wrong("AllowedOrigins", err.Error())
		}
	}
	for _, origin := range c.TrustedOrigins {
		if err := h.guard.AddTrustedOrigin(origin); err != nil {
			return nil, wrong("TrustedOrigins", err.Error())
		}
	}
	if !c.NoDashboard {
		h.assets = loadAssets()
	}
	h.closed, h.end = context.WithCancel(context.Background())
	return h, nil
}

func (c *Config) fill() error {
	switch {
	case c.Scheduler == nil:
		return wrong("Scheduler", "is required: pass what chronos.New gave")
	case c.MaxBody < 0:
		return wrong("MaxBody", "is negative")
	case c.MaxStreams < 0:
		return wrong("MaxStreams", "is negative")
	case c.Heartbeat != 0 && c.Heartbeat < time.Second:
		return wrong("Heartbeat", fmt.Sprintf("%v is below 1s", c.Heartbeat))
	}
	if c.MaxBody == 0 {
		c.MaxBody = defaultMaxBody
	}
	if c.MaxStreams == 0 {
		c.MaxStreams = defaultMaxStreams
	}
	if c.Heartbeat == 0 {
		c.Heartbeat = defaultHeartbeat
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return nil
}

// wrong is an error about a field of Config.
func wrong(field, reason string) error {
	return &chronos.FieldError{Field: "Config." + field, Reason: reason}
}

// Close ends the streams of events, which http.Server.Shutdown would wait for
// otherwise: pass it to http.Server.RegisterOnShutdown. Other requests go on.
func (h *Handler) Close() { h.closing.Do(h.end) }

// ServeHTTP serves one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	secure(w.Header())
	if h.cors(w, r) {
		return
	}
	if err := h.guard.Check(r); err != nil {
		h.refuse(w, r, problem{Status: http.StatusForbidden, Code: codeCrossOrigin,
			Detail: "a page of another origin sent this; if a proxy serves the dashboard under another host, name it in Config.TrustedOrigins"})
		return
	}
	rt, call, refused := find(r)
	if refused != nil {
		if refused.Status == http.StatusNotFound && h.page(w, r) {
			return
		}
		h.refuse(w, r, *refused)
		return
	}
	h.serve(w, r, rt, call)
}

// serve runs a route of the API.
func (h *Handler) serve(w http.ResponseWriter, r *http.Request, rt *route, call call) {
	w.Header().Set("Cache-Control", "no-store")
	call.h, call.w, call.r = h, w, r
	access := Access{Action: rt.action, Job: call.job(), Execution: call.execution()}
	actor, refused := h.allow(r, access)
	if refused != nil {
		h.refuse(w, r, *refused)
		return
	}
	call.actor = actor
	call.ctx = chronos.WithActor(r.Context(), actor)
	r.Body = http.MaxBytesReader(w, r.Body, h.config.MaxBody)
	err := rt.check(&call)
	if err == nil {
		err = rt.run(&call)
	}
	if err != nil {
		h.fail(w, r, err)
	}
}

// fail answers with an error.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // nobody listens any more
	}
	p := problemOf(err)
	if p.Status >= http.StatusInternalServerError {
		h.log.Warn("chronoshttp: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
	}
	h.refuse(w, r, p)
}
