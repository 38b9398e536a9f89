package raftfsm

import "github.com/hashicorp/raft"

// watchedBackend lets a test come before each write to the log.
type watchedBackend struct {
	logBackend
	before func() error
}

// StoreLogs implements raft.LogStore.
func (w *watchedBackend) StoreLogs(logs []*raft.Log) error {
	if err := w.before(); err != nil {
		return err
	}
	return w.logBackend.StoreLogs(logs)
}
