package chronoshttp

import (
	"context"
	"net/http"
	"slices"
	"strings"
)

// base is where the API is, below the place at which the handler is mounted.
const base = "/api/v1"

// route is one operation of the API. The table of them is what requests are
// matched with, and what openapi.json is made from and checked against.
type route struct {
	method string
	path   string // at most one {id}, which may contain slashes
	action Action
	name   string // the operation's ID
	doc    string
	query  []param
	header []param
	body   any // a zero value of what the body holds; nil: there is none
	empty  bool
	status int
	result any // a zero value of what is answered; nil: nothing
	media  string
	run    func(c *call) error
}

// param is a parameter in the query or a header.
type param struct {
	name string
	kind string // string, boolean, integer, time
	many bool
	enum any // a zero value of the type whose constants are allowed
	doc  string
}

var (
	paramSync   = param{name: "sync", kind: "boolean", doc: "first wait until this node has applied everything that was acknowledged anywhere before: the answer is linearizable"}
	paramLimit  = param{name: "limit", kind: "integer", doc: "how many items at most; 1 to 1000, by default 100"}
	paramCursor = param{name: "cursor", kind: "string", doc: "next_cursor of the page before"}
)

// call is one request that met a route.
type call struct {
	h     *Handler
	w     http.ResponseWriter
	r     *http.Request
	ctx   context.Context
	route *route
	id    string
	actor string
}

func (c *call) job() string {
	switch {
	case strings.HasPrefix(c.route.path, base+"/jobs/"):
		return c.id
	case strings.HasPrefix(c.route.path, base+"/executions/"):
		if i := strings.LastIndexByte(c.id, ':'); i > 0 {
			return c.id[:i]
		}
		return ""
	}
	return c.r.URL.Query().Get("job")
}

func (c *call) execution() string {
	if strings.HasPrefix(c.route.path, base+"/executions/") {
		return c.id
	}
	return ""
}

// find looks for the route of a request. Where there is none it says what to
// answer.
func find(r *http.Request) (*route, call, *problem) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	var allowed []string
	for i := range routes {
		rt := &routes[i]
		id, ok := rt.match(r.URL.Path)
		if !ok {
			continue
		}
		if rt.method == method {
			return rt, call{route: rt, id: id}, nil
		}
		allowed = append(allowed, rt.method)
	}
	if len(allowed) == 0 {
		return nil, call{}, &problem{Status: http.StatusNotFound, Code: codeNotFound, Detail: "there is nothing at this path; openapi.json has all there is"}
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	return nil, call{}, &problem{Status: http.StatusMethodNotAllowed, Code: codeMethod, Detail: "use " + allow, allow: allow}
}

// match takes the ID out of a path. IDs of jobs and executions may hold slashes;
// what follows their last colon is part of the path if it is a word that some
// route has there, and part of the ID otherwise.
func (rt *route) match(path string) (id string, ok bool) {
	prefix, suffix, has := strings.Cut(rt.path, "{id}")
	if !has {
		return "", path == rt.path
	}
	rest, ok := strings.CutPrefix(path, prefix)
	if !ok || rest == "" {
		return "", false
	}
	id, word := rest, ""
	if i := strings.LastIndexByte(rest, ':'); i > 0 && words[prefix+rest[i:]] {
		id, word = rest[:i], rest[i:]
	}
	return id, word == suffix
}

// words are the prefixes of paths with what may follow an ID there.
var words = func() map[string]bool {
	out := map[string]bool{}
	for _, rt := range routes {
		if prefix, suffix, _ := strings.Cut(rt.path, "{id}"); suffix != "" {
			out[prefix+suffix] = true
		}
	}
	return out
}()

// check refuses parameters that the route does not have: a filter with a
// misspelt name would not filter.
func (rt *route) check(c *call) error {
	for name, values := range c.r.URL.Query() {
		i := slices.IndexFunc(rt.query, func(p param) bool { return p.name == name })
		if i < 0 {
			return invalid(name, "is no parameter of this call")
		}
		if len(values) > 1 && !rt.query[i].many {
			return invalid(name, "may be given once")
		}
	}
	for _, name := range []string{"If-Match", "If-None-Match", "Idempotency-Key"} {
		has := slices.ContainsFunc(rt.header, func(p param) bool { return p.name == name })
		if c.r.Header.Get(name) != "" && !has && c.r.Method != http.MethodGet {
			return invalid(name, "has no meaning for this call, and must not be taken for one")
		}
	}
	if slices.ContainsFunc(rt.query, func(p param) bool { return p.name == paramSync.name }) {
		sync, err := c.flag(paramSync.name)
		if err == nil && sync != nil && *sync {
			err = c.h.config.Scheduler.Sync(c.ctx)
		}
		return err
	}
	return nil
}
