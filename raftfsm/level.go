package raftfsm

import (
	"context"
	"errors"
	"fmt"

	"github.com/chronos-go/chronos/store"
)

// A feature level is what a program knows of commands and records. A cluster uses
// what its oldest member knows: each node says its own level when it announces
// itself, and the leader raises the cluster's when all members have a higher one.
// It never falls: a program that does not know it is refused.
const (
	// LevelFirst is what was there before levels.
	LevelFirst uint32 = 1
	// Level2 brought node labels, jobs for every node, sticky jobs, concurrency
	// keys, restoring from a backup, the commands Forget and Hold, what a
	// state sums up to in beats, the attempts in a row's history that were ended in
	// the ledger, and the time in which a job has to succeed.
	Level2 uint32 = 2
	// Level is what this program knows.
	Level = Level2
)

// ErrLevel is a state or a command that only a newer program knows.
var ErrLevel = errors.New("this node runs an older Chronos than the cluster has come to use; upgrade it")

func levelOf(a *store.Applied) uint32 { return max(a.GetLevel(), LevelFirst) }

// Level is what the cluster uses, as far as this node has applied the log.
func (n *Node) Level() uint32 { return max(n.st.Level(), LevelFirst) }

// checkLevel refuses a state that this program would not continue as others do.
func (c *Config) checkLevel(a *store.Applied) error {
	if at := levelOf(a); at > c.level() {
		return fmt.Errorf("%w (level %d; this program knows %d)", ErrLevel, at, c.level())
	}
	return nil
}

// level is what the node says it knows.
func (c *Config) level() uint32 {
	if c.MaxLevel != 0 {
		return c.MaxLevel
	}
	return Level
}

// Knows is the level that this node's program knows.
func (n *Node) Knows() uint32 { return n.cfg.level() }

func (e *entry) raise(c *Raise) (*Result, error) {
	if c.Level > e.f.level {
		return nil, fmt.Errorf("%w (level %d; this program knows %d)", ErrLevel, c.Level, e.f.level)
	}
	if c.Level <= levelOf(e.applied) {
		return &Result{}, nil
	}
	e.applied.Level = c.Level
	e.eff.Raised = true
	return &Result{Changed: true}, nil
}

// CommonLevel is the highest level that all members know, by what they last
// announced; a member that never did keeps it at the first.
func (n *Node) CommonLevel() (level uint32, err error) {
	level = n.cfg.level()
	members := n.Voters()
	if n.cfg.Cluster == nil {
		members = map[string]bool{n.id: true}
	}
	err = n.st.View(func(r *store.Reader) error {
		for node := range members {
			if node == n.id {
				continue
			}
			sess, err := r.Session(node)
			if err != nil {
				return err
			}
			level = min(level, max(sess.GetFeatures(), LevelFirst))
		}
		return nil
	})
	return level, err
}

// Raise has the cluster use what all of its members know.
func (n *Node) Raise(ctx context.Context, now int64) error {
	if n.Level() >= n.cfg.level() {
		return nil
	}
	level, err := n.CommonLevel()
	if err != nil || level <= n.Level() {
		return err
	}
	if n.cfg.Cluster != nil {
		n.log.Info("chronos: all members know a newer feature level; it is used from now on", "level", level)
	}
	_, err = n.Propose(ctx, []*Command{{Now: now, Body: &Command_Raise{Raise: &Raise{Level: level}}}})
	return err
}
