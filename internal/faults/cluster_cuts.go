package faults

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// How a network can be cut: the text of a "cut" in the journal, which also names
// the node that is alone.
const (
	cutAlone = "alone" // a node and all others hear nothing of each other
	cutDeaf  = "deaf"  // a node hears nobody, and is heard
	cutMute  = "mute"  // a node is not heard, and hears
	cutPair  = "pair"  // a node and the leader hear nothing of each other; the third one hears both
	cutAll   = "all"   // nobody hears anybody
)

// waysOf are the ways to cut. with is the other end of a pair.
func waysOf(kind, node, with string, names []string) (ways []way) {
	for _, a := range names {
		for _, b := range names {
			switch {
			case a == b:
			case kind == cutAll, kind == cutAlone && (a == node || b == node), kind == cutDeaf && b == node, kind == cutMute && a == node,
				kind == cutPair && (a == node && b == with || a == with && b == node):
				ways = append(ways, way{a, b})
			}
		}
	}
	return ways
}

// severed is what became of the nodes while the network was cut.
type severed struct {
	cut, heal event
	kept      int           // attempts that the node began, or went on to begin, while it was alone
	last      time.Duration // after the cut
	others    time.Duration // until the first start committed after the cut by those who have a majority; 0: none
	wrong     []string
}

// allSevered finds every cut.
func allSevered(k *checker, lease time.Duration) (all []*severed) {
	for i, e := range k.journal {
		if e.Kind != "cut" {
			continue
		}
		to := slices.IndexFunc(k.journal[i:], func(h event) bool { return h.Kind == "heal" })
		if to < 0 {
			continue
		}
		s := &severed{cut: e, heal: k.journal[i+to]}
		s.judge(k, lease)
		all = append(all, s)
	}
	return all
}

// judge looks at what was started during a cut. Tokens grow with the log: from the
// first one on of anything made after the cut, all were given out after it.
func (s *severed) judge(k *checker, lease time.Duration) {
	after := uint64(math.MaxUint64)
	for _, j := range k.dump.Jobs {
		for _, r := range j.Rows {
			if r.Created > s.cut.T && len(r.Tokens) > 0 {
				after = min(after, r.Tokens[0])
			}
		}
	}
	for _, e := range k.journal[s.cut.pos:s.heal.pos] {
		if e.Kind != "start" {
			continue
		}
		since := time.Duration(e.Mono - s.cut.Mono)
		switch alone := s.cut.Text == cutAll || s.cut.Text != cutPair && e.Node == s.cut.Node; {
		case !alone && e.Token >= after && s.others == 0:
			s.others = since
		case !alone:
		case since > lease:
			s.wrong = append(s.wrong, fmt.Sprintf("started %v after the cut, beyond its lease: %s", since, e))
		case e.Token >= after && s.cut.Text != cutMute: // a mute one hears what the others commit
			s.wrong = append(s.wrong, fmt.Sprintf("started what was committed after the cut: %s", e))
		default:
			s.kept, s.last = s.kept+1, since
		}
	}
	if s.cut.Text != cutAll && s.others == 0 && time.Duration(s.heal.Mono-s.cut.Mono) > lease+resolveLimit {
		s.wrong = append(s.wrong, "the majority started nothing")
	}
}

func (s *severed) String() string {
	who := s.cut.Node
	if who == "" {
		who = "everybody"
	}
	return fmt.Sprintf("%s %s for %v: %d starts there, the last after %v; the others' first one committed after the cut: %v",
		who, s.cut.Text, time.Duration(s.heal.Mono-s.cut.Mono).Round(time.Millisecond), s.kept, s.last.Round(time.Millisecond),
		s.others.Round(time.Millisecond))
}

// cutFigures sums all cuts up.
func cutFigures(all []*severed) string {
	leaders, others, kinds := []time.Duration{}, []time.Duration{}, map[string]int{}
	for _, s := range all {
		kinds[s.cut.Text]++
		switch {
		case s.others == 0:
		case strings.Contains(s.cut.Op, "leader"):
			leaders = append(leaders, s.others)
		default:
			others = append(others, s.others)
		}
	}
	return fmt.Sprintf("cuts: %v\nthe leader cut off, to the first start committed after it: %s\nanother one: %s", kinds, distribution(leaders), distribution(others))
}
