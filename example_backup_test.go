package chronos_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/chronos-go/chronos"
)

// A backup is taken while the scheduler works, and goes into a new one. What was
// called before is known there, and nothing of it runs again.
func ExampleScheduler_Restore() {
	ctx := context.Background()
	old, err := chronos.New(chronos.Options{InMemory: true})
	check(err)
	_, err = old.Put(ctx, chronos.Job{ID: "invoice", Handler: "invoice"})
	check(err)
	first, err := old.Trigger(ctx, "invoice", chronos.TriggerRequest{Key: "2026-11"})
	check(err)

	var file bytes.Buffer // in real life a file, and a secret one
	check(old.Backup(ctx, &file))
	check(old.Close())

	s, err := chronos.New(chronos.Options{InMemory: true}) // a new directory, before anybody puts jobs
	check(err)
	defer s.Close()
	check(s.Restore(ctx, &file))

	again, err := s.Trigger(ctx, "invoice", chronos.TriggerRequest{Key: "2026-11"})
	check(err)
	fmt.Println("the same execution:", again.ID == first.ID)
	fmt.Printf("%s (%s)\n", again.Status, again.Reason)
	// Output:
	// the same execution: true
	// lost (restore)
}
