package raftfsm

import (
	"context"
	"sync"
)

// progress tells who waits for it how far the log is applied here.
type progress struct {
	mu      sync.Mutex
	index   uint64
	waiting int
	moved   chan struct{}
}

func (p *progress) advance(index uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.index = max(p.index, index)
	if p.waiting > 0 {
		close(p.moved)
		p.waiting, p.moved = 0, nil
	}
}

// reached tells if index has been applied.
func (p *progress) reached(index uint64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.index >= index
}

// wait returns when index has been applied, or with ctx.
func (p *progress) wait(ctx context.Context, index uint64) error {
	for {
		p.mu.Lock()
		if p.index >= index {
			p.mu.Unlock()
			return nil
		}
		if p.moved == nil {
			p.moved = make(chan struct{})
		}
		p.waiting++
		moved := p.moved
		p.mu.Unlock()
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
