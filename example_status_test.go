package chronos_test

import (
	"context"
	"fmt"

	"github.com/chronos-go/chronos"
)

// What a readiness probe and a person ask for.
func ExampleScheduler_Status() {
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	check(err)
	defer s.Close()

	ctx := context.Background()
	_, err = s.Put(ctx, chronos.Job{ID: "report", Handler: "mail"}) // no handler has that name
	check(err)
	_, err = s.Trigger(ctx, "report", chronos.TriggerRequest{})
	check(err)

	st := s.Status()
	fmt.Println("ready:", st.Ready, "running:", st.Running, "due next:", !st.NextDue.IsZero())
	for _, w := range st.Waiting {
		fmt.Printf("%d waits for room; no node has handler %q: %v\n", w.Count, w.Handler, w.Nobody)
	}
	// Output:
	// ready: true running: false due next: false
	// 1 waits for room; no node has handler "mail": true
}
