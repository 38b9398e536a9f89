package raftfsm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/store"
)

// How a node comes to be a member. The first ones begin together, all of them,
// each with the same configuration; whoever comes later begins with an empty log, is added
// without a vote, and gets one, unless it is a worker, when it has caught up. A
// node whose disk is lost has forgotten what it acknowledged: it is taken out
// first, and comes back like a new one.

// mayForm holds a new directory back until all of the peers are new (together
// they are the cluster), or until the cluster that is there has said how this node
// comes in. One peer that cannot be asked may be a cluster already: whoever is
// not sure waits.
func (n *Node) mayForm() (join bool, err error) {
	if n.cfg.Cluster == nil {
		return false, nil
	}
	if !n.cfg.Cluster.Worker {
		n.desk.setStage(stageNew)
	}
	for begun := time.Now(); ; {
		said := map[stage]int{}
		for _, one := range n.askPeers(askStage, nil) {
			if one.code == saidStage && len(one.body) == 1 {
				said[stage(one.body[0])]++
			}
		}
		others := len(n.cfg.Cluster.Peers) - 1
		switch {
		case said[stageMember] > 0:
			if err = n.forget(); err == nil {
				return true, nil
			}
		case said[stageStranger] > 0:
			return true, nil
		case said[stageNew] == others && !n.cfg.Cluster.Worker:
			return false, nil
		}
		if time.Since(begun) > n.cfg.StartTimeout {
			return false, errors.Join(err, fmt.Errorf("%w after %v: a new cluster begins when all its peers are there; %d of %d other ones answer",
				ErrNoLeader, n.cfg.StartTimeout, said[stageNew], others))
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-n.closing:
			return false, ErrClosed
		}
	}
}

// forget has the cluster take this node out, whose disk is lost. It is refused
// while a process of its name is alive.
func (n *Node) forget() error {
	n.log.Warn("chronos: the cluster knows this node, and its directory is empty: it is taken out, and joins like a new one", "node", n.cfg.ID)
	var refused error
	for _, one := range n.askPeers(askLeave, []byte(n.cfg.ID)) {
		switch one.code {
		case saidDone:
			return nil
		case saidWrong:
			refused = fmt.Errorf("%w: %s", ErrForgotten, one.body)
		}
	}
	if refused == nil {
		refused = fmt.Errorf("%w: no leader could take it out", ErrForgotten)
	}
	return refused
}

// askPeers asks all others at once.
func (n *Node) askPeers(question byte, body []byte) (answers []wireFrame) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	others := n.others()
	got := make(chan wireFrame, len(others))
	for _, node := range others {
		n.owned.Go(func() {
			f, _, err := n.pulse.ask(ctx, node, question, body)
			if err != nil {
				f = wireFrame{}
			}
			got <- f
		})
	}
	for range others {
		answers = append(answers, <-got)
	}
	return answers
}

// wasRemoved asks the others if the cluster has this node, which has state and
// finds no leader, no more. Only who reaches a leader can say so.
func (n *Node) wasRemoved() bool {
	if n.blank {
		return false
	}
	for _, one := range n.askPeers(askStage, nil) {
		if one.code == saidStage && len(one.body) == 1 && stage(one.body[0]) == stageStranger {
			return true
		}
	}
	return false
}

// takePart is one step towards being a member whose state is up to date; nil
// when it is.
func (n *Node) takePart(ctx context.Context) error {
	suffrage, member := n.suffrage(n.id)
	if !member && !n.blank {
		return ErrRemoved
	}
	if !member {
		return n.askToJoin(false)
	}
	if _, err := n.Propose(ctx, []*Command{{Body: &Command_Barrier{Barrier: &Barrier{}}}}); err != nil {
		return err
	}
	if suffrage != raft.Voter && !n.cfg.Cluster.Worker {
		return n.askToJoin(true) // it has caught up
	}
	return nil
}

var errJoining = errors.New("raftfsm: on its way into the cluster")

// seek finds out why there is no leader for long: this node may have been taken
// out while nobody could tell it.
func (n *Node) seek() {
	look := time.NewTicker(n.cfg.Cluster.lease())
	defer look.Stop()
	for alone := 0; ; {
		select {
		case <-look.C:
		case <-n.closing:
			return
		}
		if _, leader := n.raft.LeaderWithID(); leader != "" || n.fsm.stopped() != nil {
			alone = 0
		} else if alone++; alone > 1 && n.wasRemoved() {
			n.fsm.stop(n.removed())
			return
		}
	}
}

// removed is the error of a node that is no member any more.
func (n *Node) removed() error {
	return fmt.Errorf("%w: start node %q with an empty directory to join again", ErrRemoved, n.id)
}

func (n *Node) askToJoin(vote bool) error {
	flag := byte(0)
	if vote {
		flag = 1
	}
	for _, one := range n.askPeers(askJoin, []byte{flag}) {
		if one.code == saidDone {
			return errJoining // as soon as the configuration is here
		}
	}
	return fmt.Errorf("%w: no leader took it in", ErrNoLeader)
}

// suffrage tells if a node is a member, and if it votes.
func (n *Node) suffrage(node string) (raft.ServerSuffrage, bool) {
	f := n.raft.GetConfiguration()
	if f.Error() != nil {
		return 0, false
	}
	for _, s := range f.Configuration().Servers {
		if string(s.ID) == node {
			return s.Suffrage, true
		}
	}
	return 0, false
}

// Voters names the members, and tells which of them vote.
func (n *Node) Voters() map[string]bool {
	out := map[string]bool{}
	f := n.raft.GetConfiguration()
	if f.Error() != nil {
		return out
	}
	for _, s := range f.Configuration().Servers {
		out[string(s.ID)] = s.Suffrage == raft.Voter
	}
	return out
}

// admit takes a node in, at its own request: without a vote first.
func (n *Node) admit(node string, vote bool) error {
	now, _ := n.epoch.now()
	id, addr := raft.ServerID(node), addressIn(node, now)
	switch _, member := n.suffrage(node); {
	case member && vote:
		return n.raft.AddVoter(id, addr, 0, n.cfg.EntryTimeout).Error()
	case vote:
		return fmt.Errorf("raftfsm: %q is no member", node)
	case member:
		return nil
	}
	return n.raft.AddNonvoter(id, addr, 0, n.cfg.EntryTimeout).Error()
}

// Remove takes a member out for good. What it runs is resolved when its lease
// ends, or at once if it is down already.
func (n *Node) Remove(ctx context.Context, node string) error {
	for wait := retryMin; ; wait = min(2*wait, retryMax) {
		err := n.removeOnce(ctx, node)
		if err == nil || !errors.Is(err, ErrNoLeader) {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		}
	}
}

func (n *Node) removeOnce(ctx context.Context, node string) error {
	if n.IsLeader() {
		if node == n.id {
			return errors.Join(ErrNoLeader, n.TransferLeadership())
		}
		n.changing.Lock()
		defer n.changing.Unlock()
		return n.dropLocked(node)
	}
	_, leader := n.raft.LeaderWithID()
	if leader == "" || n.links == nil {
		return ErrNoLeader
	}
	f, _, err := n.links.ask(ctx, string(leader), askRemove, []byte(node))
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrNoLeader, err)
	case f.code == saidDone:
		return nil
	case f.code == saidWrong:
		return errors.New("raftfsm: " + string(f.body))
	}
	return ErrNoLeader
}

// learnMembers takes from the state where nodes are that no list of peers names.
func (n *Node) learnMembers() {
	err := n.st.View(func(r *store.Reader) error {
		return r.Sessions(func(node string, sess *store.Session) (bool, error) {
			if n.mesh.Addr(node) == "" {
				n.mesh.Learn(node, sess.Addr)
			}
			return true, nil
		})
	})
	if err != nil {
		n.log.Warn("chronos: addresses of members cannot be read", "error", err)
	}
}
