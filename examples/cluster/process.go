package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/chronos-go/chronos"
)

// kind says what a message is about.
type kind string

const (
	listens kind = "listens" // at Addr
	runs    kind = "runs"    // it has joined, and takes work
	leading kind = "leading" // or not any more
	starts  kind = "starts"  // the handler was called
	tells   kind = "tells"   // the ledger
	rests   kind = "rests"   // Run has ended
	ended   kind = "ended"   // the process has, which the parent finds out itself
)

// message is what a node tells its parent: a line of JSON on its standard output.
type message struct {
	Kind   kind
	Addr   string  `json:",omitempty"`
	Leads  bool    `json:",omitempty"`
	Start  *start  `json:",omitempty"`
	Ledger *ledger `json:",omitempty"`

	node string // who says it
	err  error  // how it ended
}

// start is one call of the handler.
type start struct {
	Job     string
	Due, At time.Time
	Attempt int

	node string
}

// order is what the parent tells a node: first its peers, then what to do.
type order struct {
	Peers []chronos.Peer `json:",omitempty"`
	Do    string         `json:",omitempty"`
	To    time.Time
}

const (
	tell = "tell" // the ledger up to To
	rest = "rest" // end Run
	stop = "stop" // and then the rest
)

// logFile is where the library logs to. It says so much while a node is away
// that nobody would see the rest.
const logFile = "log.txt"

// process is a node as its parent has it.
type process struct {
	name   string
	home   string
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	orders *json.Encoder
}

// launch starts this program again, as a node. What the node says goes to the
// inbox, the last of it that it ended; somebody has to read until then.
func launch(ctx context.Context, home string, inbox chan<- message) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self) // kills it when ctx ends
	cmd.Env = append(os.Environ(), nodeEnv+"="+home)
	log, err := os.OpenFile(filepath.Join(home, logFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	cmd.Stderr = log
	stdin, err := cmd.StdinPipe() // the node ends when this is closed, whoever closes it
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{name: filepath.Base(home), home: home, cmd: cmd, stdin: stdin, orders: json.NewEncoder(stdin)}
	go p.listen(stdout, inbox)
	return p, nil
}

// listen passes on what the node says, and ends when the node has.
func (p *process) listen(stdout io.Reader, inbox chan<- message) {
	lines := json.NewDecoder(stdout)
	for {
		var m message
		err := lines.Decode(&m)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				_, _ = io.Copy(io.Discard, stdout) // half a message: it was killed
			}
			break
		}
		m.node = p.name
		inbox <- m
	}
	inbox <- message{Kind: ended, node: p.name, err: p.cmd.Wait()}
}

// lastLog is the end of what the node logged.
func (p *process) lastLog() string {
	const most = 2_000
	text, err := os.ReadFile(filepath.Join(p.home, logFile))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

func (p *process) order(o order) error {
	if err := p.orders.Encode(o); err != nil {
		return fmt.Errorf("node %s takes no orders: %w", p.name, err)
	}
	return nil
}

// kill is SIGKILL, or what comes closest to it elsewhere.
func (p *process) kill() error { return p.cmd.Process.Kill() }
