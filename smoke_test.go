package chronos_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/chronos-go/chronos"
)

func TestSmoke(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, err := chronos.New(chronos.Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := s.Handle("greet", func(ctx context.Context, x chronos.Execution) error {
			n++
			fmt.Println(time.Now().UTC(), x.ID, x.Due, x.Attempt)
			if n == 2 {
				return fmt.Errorf("boo")
			}
			chronos.SetOutput(ctx, []byte("hello"))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		job, err := s.Put(ctx, chronos.Job{ID: "greet", Schedule: chronos.Cron("*/5 * * * *"), Handler: "greet", Retry: chronos.Retry{MaxAttempts: 3}})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(job.Version, job.State.NextDue)
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		time.Sleep(31 * time.Minute)
		for x, err := range s.Executions(ctx, chronos.Query{}) {
			t.Log(x.ID, x.Due, x.Status, x.Reason, x.Attempt, string(x.Output), err)
		}
		t.Logf("%+v", s.Status())
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}
