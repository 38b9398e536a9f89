package raftfsm

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"github.com/chronos-go/chronos/raftfsm/mesh"
)

// A server's address is its name and, once the cluster was recovered, the epoch:
// "a", or "a@2-5f0c93a1b2c4". So the epoch is a part of the configuration: it
// changes with the members in one step, and whoever joins is told both at once.
// Nobody dials it: see serverNames.
const epochMark = "@"

// addressIn is a node's address in a configuration of an epoch.
func addressIn(node string, e mesh.Epoch) raft.ServerAddress {
	if e == mesh.Unrecovered || e == "" {
		return raft.ServerAddress(node)
	}
	return raft.ServerAddress(node + epochMark + string(e))
}

// epochOf is the epoch of a configuration, "" of an empty one.
func epochOf(conf raft.Configuration) (e mesh.Epoch) {
	for _, s := range conf.Servers {
		of := mesh.Unrecovered
		if _, text, ok := strings.Cut(string(s.Address), epochMark); ok {
			of = mesh.Epoch(text)
		}
		if e == "" || of.Number() > e.Number() {
			e = of
		}
	}
	return e
}

// serverNames gives Raft a server's name for its address: the mesh knows where
// that is.
type serverNames struct{}

// ServerAddr implements raft.ServerAddressProvider.
func (serverNames) ServerAddr(id raft.ServerID) (raft.ServerAddress, error) {
	return raft.ServerAddress(id), nil
}

// survivors are the members of a recovered cluster, by name.
type survivors []survivor

type survivor struct {
	Node   string `json:"node"`
	Addr   string `json:"addr"`
	Worker bool   `json:"worker"`
}

// epoch is that of the recovery with this number. Who is given the same list
// comes to the same one; where the members are does not matter.
func (s survivors) epoch(number uint64) mesh.Epoch {
	h := sha256.New()
	for _, m := range s.sorted() {
		fmt.Fprintf(h, "%s %t\n", m.Node, m.Worker)
	}
	return mesh.Epoch(fmt.Sprintf("%d-%x", number, h.Sum(nil)[:6]))
}

// configuration is the one after the recovery with this number.
func (s survivors) configuration(number uint64) (conf raft.Configuration) {
	e := s.epoch(number)
	for _, m := range s.sorted() {
		suffrage := raft.Voter
		if m.Worker {
			suffrage = raft.Nonvoter
		}
		conf.Servers = append(conf.Servers, raft.Server{Suffrage: suffrage, ID: raft.ServerID(m.Node), Address: addressIn(m.Node, e)})
	}
	return conf
}

func (s survivors) sorted() survivors {
	return slices.SortedFunc(slices.Values(s), func(a, b survivor) int { return cmp.Compare(a.Node, b.Node) })
}

// lists tells if a node is among them.
func (s survivors) lists(node string) bool {
	return slices.ContainsFunc(s, func(m survivor) bool { return m.Node == node })
}

// made tells if a configuration is just what this list makes.
func (s survivors) made(conf raft.Configuration) bool {
	number := epochOf(conf).Number()
	if number == 0 {
		return false
	}
	byName := slices.SortedFunc(slices.Values(conf.Servers), func(a, b raft.Server) int { return cmp.Compare(a.ID, b.ID) })
	return slices.Equal(byName, s.configuration(number).Servers)
}
