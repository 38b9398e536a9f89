package raftfsm

import (
	"testing"

	"github.com/chronos-go/chronos/store"
)

// A deleted job with more versions than one entry may take away is forgotten in steps. One of
// the same name that is put between two of them goes on with its versions, and one that is put
// after the last begins anew. Nothing is left that it does not know of, and the digest is right.
func TestForgetManyVersions(t *testing.T) {
	s := newScenario(t, 1)
	version := uint64(0)
	put := func() uint64 {
		t.Helper()
		res := s.entry(&Command{Now: s.now, Body: &Command_Put{Put: &Put{Job: "j", BaseVersion: version, Definition: &store.Definition{
			Handler: "h", Priority: int32(len(s.logs)),
		}}}})[0]
		if res.Code != Code_CODE_OK || !res.Changed {
			t.Fatalf("put at version %d: %v", version, res)
		}
		version = res.Version
		return version
	}
	remove := func() {
		s.entry(&Command{Now: s.now, Body: &Command_Delete{Delete: &Delete{Job: "j"}}})
		version = 0
	}
	prune := func() (gone bool) {
		s.now++
		s.entry(&Command{Now: s.now, Body: &Command_Prune{Prune: &Prune{Job: "j", Before: s.now}}})
		rec, _ := s.state("j")
		return rec == nil
	}
	for range sweepMax + 10 {
		put()
	}
	remove()
	if prune() {
		t.Fatal("one entry took all versions away")
	}
	if n := put(); n != sweepMax+12 { // the deletion is one, too
		t.Errorf("put between two steps is version %d", n)
	}
	remove()
	for !prune() {
		if len(s.logs) > 2*sweepMax {
			t.Fatal("it is never forgotten")
		}
	}
	if n := put(); n != 1 {
		t.Errorf("put after the last step is version %d", n)
	}
	if err := s.audit(); err != nil {
		t.Error(err)
	}
	if err := s.f.st.Verify(t.Context()); err != nil {
		t.Error(err)
	}
}
