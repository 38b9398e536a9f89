package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/pprof"
	"sync"
)

// taskEnv tells a process that it is a child, and what it has to do.
const taskEnv = "CHRONOS_BENCH_TASK"

// task is one measurement, or a step of one.
type task struct {
	Case, Engine string
	Step         string // empty: the measurement itself
	Args         map[string]string
	Dir          string // its own, empty
	Prepared     string // of all: data that several measurements use
	Settings     settings
}

// message is what a child says, one JSON line each.
type message struct {
	Kind    string
	Values  map[string]int64 `json:",omitempty"`
	Text    string           `json:",omitempty"`
	Outcome *outcome         `json:",omitempty"`
}

// child is a process that measures.
type child struct {
	task
	outcome
	ctx      context.Context
	orders   *bufio.Scanner // its standard input
	measured <-chan error   // says that the measured seconds are over

	mu  sync.Mutex // lines stay whole
	out *os.File
}

func childMain(ctx context.Context, text string) error {
	c := &child{ctx: ctx, orders: bufio.NewScanner(os.Stdin), out: os.Stdout}
	if err := json.Unmarshal([]byte(text), &c.task); err != nil {
		return err
	}
	c.outcome.Case, c.outcome.Engine = c.task.Case, c.task.Engine
	run, err := c.find()
	if err != nil {
		return err
	}
	stop, err := c.profile()
	if err != nil {
		return err
	}
	c.Load = load()
	others := watchOthers()
	err = run(c)
	c.Others = others()
	stop()
	if err != nil {
		c.Err = err.Error()
	}
	return c.say(message{Kind: "outcome", Outcome: &c.outcome})
}

// steps are what a measurement does in a process of its own.
func steps() map[string]func(*child) error {
	return map[string]func(*child) error{
		"fill": fill, "rest": rest, "leave": leave, "first": first, "node": node, "past": past,
	}
}

func (c *child) find() (func(*child) error, error) {
	if c.Step != "" {
		if run := steps()[c.Step]; run != nil {
			return run, nil
		}
		return nil, fmt.Errorf("no step %q", c.Step)
	}
	for _, b := range benches() {
		for _, e := range b.engines {
			if b.name == c.task.Case && e.name == c.task.Engine {
				return e.run, nil
			}
		}
	}
	return nil, fmt.Errorf("no measurement of %s by %s", c.task.Case, c.task.Engine)
}

// profile follows the processor, if that is wanted.
func (c *child) profile() (stop func(), err error) {
	if c.Settings.CPUProfile == "" {
		return func() {}, nil
	}
	name := fmt.Sprintf("%s.%s.%d.prof", c.task.Case, c.task.Engine, os.Getpid())
	if c.Step != "" {
		name = c.Step + "." + name
	}
	f, err := os.Create(filepath.Join(c.Settings.CPUProfile, name))
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		f.Close()
	}, nil
}

// say sends a message to the parent. The pipe keeps it when this process is killed.
func (c *child) say(m message) error {
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err = c.out.Write(append(line, '\n'))
	return err
}

// order waits for a line from the parent, false when there will be none.
func (c *child) order() (string, bool) {
	if !c.orders.Scan() {
		return "", false
	}
	return c.orders.Text(), true
}

// path is a place for data of this measurement.
func (c *child) path(name string) string { return filepath.Join(c.Dir, name) }

// logger shows what goes wrong.
func logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
