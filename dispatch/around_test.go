package dispatch

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"
)

// Who stands around and hangs has the attempt given up, and is told when it is over.
func TestAroundHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []Result
		cfg := Config{Grace: time.Second, Around: []func(context.Context, *Attempt, http.Header) (context.Context, func(Result)){
			func(ctx context.Context, _ *Attempt, h http.Header) (context.Context, func(Result)) {
				if h != nil {
					t.Error("a handler has a header")
				}
				time.Sleep(time.Minute)
				return ctx, func(res Result) { told = append(told, res) }
			},
		}}
		d, rec := start(t, cfg)
		mustHandle(t, d, "h", func(ctx context.Context, _ *Attempt) error { return ctx.Err() })
		d.Assign([]*Attempt{{ID: "x", Token: 1, Number: 1, Handler: "h", StartAt: time.Now(), Timeout: time.Second}})
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := rec.only(t); !got.Stuck || got.Outcome != TimedOut {
			t.Errorf("reported %+v", got)
		}
		if len(told) != 1 || !told[0].Stuck || told[0].Outcome != TimedOut {
			t.Errorf("told %+v", told)
		}
	})
}
