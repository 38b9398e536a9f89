package chronoshttp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/chronos-go/chronos"
)

const (
	statusEvery   = time.Second      // how often a stream looks at the status
	writeTimeout  = 30 * time.Second // who reads nothing for so long is gone
	reconnectText = "retry: 2000\n\n"
)

// eventJSON is the data of an event of the stream.
type eventJSON struct {
	Kind      chronos.EventKind `json:"kind" doc:"what happened; the name of the event, too"`
	At        time.Time         `json:"at" doc:"when it was committed; of job.overdue: when the job had to have succeeded"`
	Job       string            `json:"job" doc:"to which job"`
	Version   uint64            `json:"version,omitempty" doc:"of the job, for job events"`
	Execution *executionJSON    `json:"execution,omitempty" doc:"for execution events; without output"`
}

// resetJSON is the data of a reset event: there were events that this stream does
// not have, so the reader reads anew what it shows.
type resetJSON struct {
	Reason  string `json:"reason" doc:"reconnected: events between Last-Event-ID and now are not known any more; dropped: the reader was too slow"`
	Dropped int    `json:"dropped,omitempty" doc:"how many events are missing, if that is known"`
}

// beatJSON is the data of a beat event, which says nothing but that the stream is
// alive. It has no ID.
type beatJSON struct {
	Now time.Time `json:"now" doc:"the clock of the node that answers"`
}

// stream is one connection that events are written to.
type stream struct {
	*call
	control *http.ResponseController
	prefix  string // of the IDs of its events
	n       int
	only    string // events of this job, if it is set
}

func events(c *call) error {
	select {
	case c.h.streams <- struct{}{}:
		defer func() { <-c.h.streams }()
	default:
		return problem{Status: http.StatusServiceUnavailable, Code: codeBusy,
			Detail: fmt.Sprintf("%d streams are open (Config.MaxStreams)", cap(c.h.streams))}
	}
	if c.r.Method == http.MethodHead {
		return c.done()
	}
	s := &stream{
		call: c, control: http.NewResponseController(c.w), only: c.param("job"),
		prefix: fmt.Sprintf("%s-%x-", c.sched().Status().Node, time.Now().UnixNano()),
	}
	feed := c.sched().Events(c.r.Context()) // before the headers: what is done after them is in the stream
	header := c.w.Header()
	header.Set("Content-Type", "text/event-stream")
	header.Set("Cache-Control", "no-store, no-transform")
	header.Set("X-Accel-Buffering", "no") // nginx
	c.w.WriteHeader(http.StatusOK)
	if err := s.begin(); err != nil {
		return nil // nobody listens any more
	}
	s.run(feed)
	return nil
}

func (s *stream) begin() error {
	if err := s.write(reconnectText); err != nil {
		return err
	}
	if s.r.Header.Get("Last-Event-ID") != "" {
		return s.event("reset", resetJSON{Reason: "reconnected"})
	}
	return s.event("status", showStatus(s.sched().Status()))
}

// run copies events until the reader is gone, the scheduler or the handler is
// closed, or the reader may not read any more.
func (s *stream) run(feed <-chan chronos.Event) {
	beat := time.NewTicker(s.h.config.Heartbeat)
	defer beat.Stop()
	look := time.NewTicker(statusEvery)
	defer look.Stop()
	mark := s.mark()
	for {
		var err error
		select {
		case ev, ok := <-feed:
			if !ok {
				return
			}
			err = s.pass(ev)
		case <-look.C:
			if now := s.mark(); now != mark {
				mark = now
				err = s.event("status", showStatus(s.sched().Status()))
			}
		case <-beat.C:
			if _, refused := s.h.allow(s.r, Access{Action: ActionRead, Job: s.only}); refused != nil {
				return
			}
			err = s.beat()
		case <-s.h.closed.Done():
			return
		case <-s.r.Context().Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// pass writes an event of the scheduler.
func (s *stream) pass(ev chronos.Event) error {
	if ev.Dropped > 0 {
		if err := s.event("reset", resetJSON{Reason: "dropped", Dropped: ev.Dropped}); err != nil {
			return err
		}
	}
	if s.only != "" && s.only != ev.Job {
		return nil
	}
	out := eventJSON{Kind: ev.Kind, At: ev.At, Job: ev.Job, Version: ev.Version}
	if ev.Execution != nil {
		x := showExecution(*ev.Execution, false)
		out.Execution = &x
	}
	return s.event(string(ev.Kind), out)
}

func (s *stream) event(name string, data any) error {
	b, err := json.Marshal(data)
	if err != nil {
		return err
	}
	s.n++
	var text strings.Builder
	fmt.Fprintf(&text, "id: %s%d\nevent: %s\ndata: %s\n\n", s.prefix, s.n, name, b)
	return s.write(text.String())
}

func (s *stream) beat() error {
	b, err := json.Marshal(beatJSON{time.Now().UTC()})
	if err != nil {
		return err
	}
	return s.write("event: beat\ndata: " + string(b) + "\n\n")
}

// write sends text now. It moves the deadline of the connection, which the host's
// http.Server may have set for answers that end.
func (s *stream) write(text string) error {
	_ = s.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer can
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
