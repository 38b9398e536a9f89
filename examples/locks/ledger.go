package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

var errStale = errors.New("there was a higher token")

// ledger is what only one node may write to at a time: something outside of the
// cluster, such as a table with a column for the token.
type ledger struct {
	mu      sync.Mutex
	out     io.Writer
	highest uint64
	tokens  map[string]uint64 // the last one of each node
	began   chan string       // who has begun to work
	events  []string          // "a leads", "a stops", and so on
}

func newLedger(out io.Writer) *ledger {
	return &ledger{out: out, tokens: map[string]uint64{}, began: make(chan string, 100)}
}

// write refuses who is not the newest.
func (l *ledger) write(node string, token uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if token < l.highest {
		return fmt.Errorf("%w: %s came with %d after %d", errStale, node, token, l.highest)
	}
	l.highest = token
	return nil
}

// work writes until the lock is lost.
func (l *ledger) work(ctx context.Context, node string, token uint64) {
	l.tell(node, token, "leads", fmt.Sprintf("leads, with token %d", token))
	l.began <- node
	for l.write(node, token) == nil {
		select {
		case <-time.After(50 * time.Millisecond):
			continue
		case <-ctx.Done():
		}
		break
	}
	l.tell(node, token, "stops", fmt.Sprintf("stops: %v", context.Cause(ctx)))
}

func (l *ledger) tell(node string, token uint64, event, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tokens[node] = token
	l.events = append(l.events, node+" "+event)
	fmt.Fprintf(l.out, "  %s %s\n", node, text)
}

func (l *ledger) token(node string) uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tokens[node]
}

// next waits until a node begins.
func (l *ledger) next(ctx context.Context) (string, error) {
	select {
	case node := <-l.began:
		return node, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
