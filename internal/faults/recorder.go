package faults

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"
)

// event is one line of the journal: something the child did or was told. The
// journal lives outside the directory under test, each line is one write(2),
// and so it survives the death of the process that wrote it.
type event struct {
	T    int64  `json:"t"`           // wall clock, nanoseconds
	Mono int64  `json:"m,omitempty"` // the machine's elapsed clock, the same in all processes
	PID  int    `json:"p"`
	Node string `json:"w,omitempty"`
	Kind string `json:"k"` // open, begin, ack, err, start, end, even; in a cluster also retry, kill, down, freeze, frozen, thaw, cut, heal

	Seq     string `json:"s,omitempty"` // names a call; its actor and note in the ledger
	Op      string `json:"o,omitempty"`
	Job     string `json:"j,omitempty"`
	Plan    *plan  `json:"d,omitempty"` // what a put puts
	Version uint64 `json:"v,omitempty"`
	Count   int    `json:"n,omitempty"`
	Exec    string `json:"x,omitempty"`
	Attempt int    `json:"a,omitempty"`
	Token   uint64 `json:"f,omitempty"`
	Gen     uint64 `json:"g,omitempty"`
	Due     int64  `json:"u,omitempty"`
	Cause   string `json:"c,omitempty"` // why a handler's context had ended, at its end
	Text    string `json:"e,omitempty"`

	pos int // line in the journal, once it is read
}

func (e event) String() string {
	at := time.Unix(0, e.T).UTC().Format("15:04:05.000")
	s := fmt.Sprintf("%s pid %d %-5s %s", at, e.PID, e.Kind, e.Op)
	if e.Node != "" {
		s += " node " + e.Node
	}
	if e.Seq != "" {
		s += " call " + e.Seq
	}
	if e.Exec != "" {
		s += fmt.Sprintf(" %s attempt %d token %d", e.Exec, e.Attempt, e.Token)
	}
	if e.Plan != nil {
		s += " " + e.Plan.String()
	}
	if e.Version != 0 {
		s += fmt.Sprintf(" version %d", e.Version)
	}
	if e.Text != "" {
		s += " " + e.Text
	}
	if e.Cause != "" {
		s += " (its context had ended: " + e.Cause + ")"
	}
	return s
}

// recorder appends to a journal. Several processes may share one: the file is
// opened for appending, so their lines are in the order of their writes.
type recorder struct {
	mu   sync.Mutex
	f    *os.File
	node string
}

func openRecorder(path string) (*recorder, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	return &recorder{f: f}, err
}

// write panics when it fails: a test whose record is incomplete proves nothing.
func (r *recorder) write(e event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.T, e.Mono, e.PID = time.Now().UnixNano(), elapsed(), os.Getpid()
	if e.Node == "" {
		e.Node = r.node
	}
	r.put(e)
}

// even notes that at an instant no job was behind.
func (r *recorder) even(at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(event{T: at.UnixNano(), Mono: elapsed(), PID: os.Getpid(), Node: r.node, Kind: "even"})
}

// put appends an event as it is.
func (r *recorder) put(e event) {
	line, err := json.Marshal(e)
	if err == nil {
		_, err = r.f.Write(append(line, '\n'))
	}
	if err != nil {
		panic(fmt.Sprintf("journal: %v", err))
	}
}

// readJournal reads what was recorded; a last line cut off by a kill is left out.
func readJournal(path string) ([]event, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var out []event
	lines := bufio.NewScanner(bytes.NewReader(content))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue
		}
		out = append(out, e)
	}
	return out, lines.Err()
}
