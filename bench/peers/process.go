package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// process is a child, as its parent sees it.
type process struct {
	cmd      *exec.Cmd
	stdin    io.WriteCloser
	messages chan message // closed when it has ended
	began    time.Time
}

// launch starts this program once more. What it logs goes to stderr.
func launch(ctx context.Context, t task, stderr io.Writer) (*process, error) {
	text, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(t.Dir, 0o700); err != nil {
		return nil, err
	}
	p := &process{cmd: exec.CommandContext(ctx, self), messages: make(chan message, 1<<16)}
	p.cmd.Env = append(os.Environ(), taskEnv+"="+string(text))
	p.cmd.Stderr = stderr
	p.cmd.WaitDelay = 5 * time.Second
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.began = time.Now()
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go read(out, p.messages)
	return p, nil
}

// read passes on what a process says.
func read(out io.Reader, to chan<- message) {
	defer close(to)
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var m message
		if json.Unmarshal(lines.Bytes(), &m) == nil {
			to <- m
		}
	}
}

// await skips to the next message of a kind.
func (p *process) await(kind string, limit time.Duration) (message, error) {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		select {
		case m, ok := <-p.messages:
			if !ok {
				return m, fmt.Errorf("the process ended before it said %q", kind)
			}
			if m.Kind == kind {
				return m, nil
			}
			if m.Outcome != nil && m.Outcome.Err != "" {
				return m, errors.New(m.Outcome.Err)
			}
		case <-timer.C:
			return message{}, fmt.Errorf("the process did not say %q within %v", kind, limit)
		}
	}
}

func (p *process) tell(order string) error {
	_, err := fmt.Fprintln(p.stdin, order)
	return err
}

// kill ends it at once, as kill -9 does.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()
}

// end closes its orders and waits for its outcome.
func (p *process) end(limit time.Duration) (*outcome, error) {
	if err := p.stdin.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return nil, err
	}
	m, err := p.await("outcome", limit)
	if err != nil {
		p.kill()
		return nil, err
	}
	if err := p.cmd.Wait(); err != nil {
		return nil, err
	}
	if m.Outcome.Err != "" {
		return m.Outcome, errors.New(m.Outcome.Err)
	}
	return m.Outcome, nil
}

// start begins a step.
func (c *child) start(step, dir string, args map[string]string) (*process, error) {
	t := c.task
	t.Step, t.Dir, t.Args = step, dir, args
	return launch(c.ctx, t, os.Stderr)
}

// step runs one to its end.
func (c *child) step(step, dir string, args map[string]string) (*outcome, error) {
	p, err := c.start(step, dir, args)
	if err != nil {
		return nil, err
	}
	o, err := p.end(2 * time.Hour)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", step, err)
	}
	return o, nil
}

// prepared answers a directory that a step has filled, in this run or before.
func (c *child) prepared(step, name string, args map[string]string) (string, error) {
	dir := filepath.Join(c.Prepared, name)
	if c.Settings.Parallel > 1 { // nobody else is to have it
		dir = c.path(name)
	}
	done := dir + ".done"
	if _, err := os.Stat(done); err == nil {
		return dir, nil
	}
	if err := os.RemoveAll(dir); err != nil { // half of it
		return "", err
	}
	if _, err := c.step(step, dir, args); err != nil {
		return "", err
	}
	return dir, os.WriteFile(done, nil, 0o600)
}
