package chronos_test

import (
	"context"
	"fmt"

	"github.com/chronos-go/chronos"
)

// Work of a leader: one process of the cluster at a time, until it loses the lock.
func ExampleScheduler_Lock() {
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	check(err)
	defer s.Close()

	ctx := context.Background()
	lock, err := s.Lock(ctx, "billing/leader") // waits until it is free
	check(err)
	fmt.Println("leading", lock.Name(), lock.Context().Err())
	_, err = s.TryLock(ctx, "billing/leader")
	fmt.Println(err)
	check(lock.Unlock(ctx)) // work ends with lock.Context() at the latest
	fmt.Println(lock.Context().Err())
	// Output:
	// leading billing/leader <nil>
	// chronos: conflict: lock "billing/leader" is held by node "local"
	// context canceled
}
