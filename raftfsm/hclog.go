package raftfsm

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// raftLogger passes Raft's own messages to the host's logger. Raft narrates:
// its Info is our Debug, its Debug is nobody's.
func raftLogger(log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Level: hclog.Off, Output: io.Discard})
	l.RegisterSink(&raftSink{log: log, last: map[string]time.Time{}})
	return l
}

// raftSink passes a warning on once in a while: while a follower is down, a leader
// says so several times a second. What it holds back is there at debug level.
type raftSink struct {
	log *slog.Logger

	mu   sync.Mutex
	last map[string]time.Time // when it was passed on, by message
}

const (
	repeatAfter = 30 * time.Second
	messagesMax = 200 // Raft has fewer
)

// news tells if a message was not passed on lately.
func (s *raftSink) news(msg string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.last[msg]; ok && time.Since(at) < repeatAfter {
		return false
	}
	if len(s.last) >= messagesMax {
		clear(s.last)
	}
	s.last[msg] = time.Now()
	return true
}

// Accept implements hclog.SinkAdapter.
func (s *raftSink) Accept(name string, level hclog.Level, msg string, args ...any) {
	to := slog.LevelDebug
	switch {
	case level < hclog.Info:
		return
	case level == hclog.Warn:
		to = slog.LevelWarn
	case level == hclog.Error:
		to = slog.LevelError
	}
	if to > slog.LevelDebug && !s.news(msg) {
		to = slog.LevelDebug
	}
	if !s.log.Enabled(context.Background(), to) {
		return
	}
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
	}
	s.log.Log(context.Background(), to, "chronos: "+name+": "+msg, args...)
}
