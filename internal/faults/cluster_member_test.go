package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

// member is one node of a cluster as the parent sees it: the process that is the
// node now, if there is one, and the questions it has not answered yet.
type member struct {
	t   *testing.T
	cfg childConfig
	rec *recorder

	mu      sync.Mutex
	p       *process // nil while the node is down
	next    uint64
	waiting map[uint64]chan answer
}

var errGone = errors.New("the node is down")

func (m *member) name() string { return m.cfg.Cluster.Node }

// launch starts the node's process, which is to be made ready.
func (m *member) launch() *process { return start(m.t, m.cfg) }

// ready waits until the node takes part, and opens it to orders.
func (m *member) ready(p *process) error {
	if err := p.ready(3 * time.Minute); err != nil {
		return fmt.Errorf("node %s: %w", m.name(), err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.p, m.waiting = p, map[uint64]chan answer{}
	go m.listen(p, m.waiting)
	return nil
}

// listen hands out answers until the process has ended; then it tells those who
// wait.
func (m *member) listen(p *process, waiting map[uint64]chan answer) {
	for {
		select {
		case line := <-p.lines:
			m.deliver(waiting, line)
			continue
		case <-p.done:
		}
		break
	}
	for len(p.lines) > 0 {
		m.deliver(waiting, <-p.lines)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.p == p {
		m.p = nil
	}
	for n, ch := range waiting {
		close(ch)
		delete(waiting, n)
	}
}

func (m *member) deliver(waiting map[uint64]chan answer, line string) {
	var a answer
	if err := json.Unmarshal([]byte(line), &a); err != nil {
		m.t.Errorf("node %s says %q", m.name(), line)
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if ch := waiting[a.N]; ch != nil {
		ch <- a
		delete(waiting, a.N)
	}
}

// ask gives the node an order and waits for the answer, or for its end: the
// parent never gives up a call that may still be under way.
func (m *member) ask(o order) (answer, error) {
	m.mu.Lock()
	p := m.p
	if p == nil {
		m.mu.Unlock()
		return answer{}, errGone
	}
	m.next++
	o.N = m.next
	ch := make(chan answer, 1)
	m.waiting[o.N] = ch
	text, _ := json.Marshal(o) // cannot fail: strings and numbers
	_, err := p.stdin.Write(append(text, '\n'))
	m.mu.Unlock()
	if err != nil {
		return answer{}, errGone
	}
	a, ok := <-ch
	if !ok {
		return answer{}, errGone
	}
	return a, a.err()
}

// kill is kill -9. The journal says when, and when the process was gone.
func (m *member) kill(p *process, text string) {
	m.rec.write(event{Kind: "kill", Node: m.name(), Text: text})
	p.kill()
	m.rec.write(event{Kind: "down", Node: m.name()})
}

// end kills whatever process the node has, at the end of a test.
func (m *member) end() {
	if p := m.process(); p != nil {
		p.kill()
	}
}

func (m *member) process() *process {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.p
}

func (m *member) status() answer {
	a, err := m.ask(order{Op: opStatus})
	if err != nil {
		return answer{}
	}
	return a
}
