package chronos

import "time"

// sure tells if this node may say that a job has not succeeded. Without a word from
// the leader, or behind it, there may have been a success that it does not know of;
// it waits for one lease, and then goes by what it knows. One that was removed hears
// of no success any more, and of none that is missing.
func (a *alarms) sure() bool {
	m := a.s.member
	if m == nil {
		return true
	}
	removed := m.removed()
	over := a.doubt.over(m.alive() && !removed, m.behind(), m.lastContact(), a.s.options.Cluster.Lease)
	return over && !removed
}

// unsure is how long to wait before it is looked at again.
func (a *alarms) unsure() time.Duration {
	if a.s.member.removed() {
		return alarmLook // it may be taken in again
	}
	return a.s.options.Cluster.Lease / beatsPerLease
}

// removed tells if this node knows that it is no member of its cluster any more.
func (m *member) removed() bool {
	voters := m.s.node.Voters() // and those without a vote
	_, member := voters[m.s.options.Node]
	return len(voters) > 0 && !member
}

// doubt is for how long this node may not have known of the newest successes.
type doubt struct {
	since time.Time // zero: it does
	asked time.Time // when it did not, most recently
}

// over tells if there is none, or it has lasted for a lease.
func (d *doubt) over(alive, behind bool, contact time.Time, lease time.Duration) bool {
	now := time.Now()
	if alive && !behind {
		d.since = time.Time{}
		return true
	}
	// Word of a leader has ended an earlier one; unless this one is of a node that is in
	// touch and behind, and then somebody asks again and again.
	if d.since.IsZero() || contact.After(d.since) && (!alive || now.Sub(d.asked) > lease/2) {
		d.since = now
	}
	d.asked = now
	return now.Sub(d.since) >= lease
}
