package dispatch_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/chronos-go/chronos/dispatch"
)

// A receiver checks what it got before it acts on it.
func ExampleVerify() {
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	body := []byte(`{"test": 2432232314}`)
	header := http.Header{}
	header.Set("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek")
	header.Set("webhook-timestamp", "1614265330")
	header.Set("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")

	now := time.Unix(1614265390, 0) // a receiver takes time.Now()
	fmt.Println(dispatch.Verify(secret, header, body, now, 0))
	fmt.Println(dispatch.Verify(secret, header, []byte("{}"), now, 0))
	// Output:
	// <nil>
	// dispatch: webhook signature not valid: none of 1 signatures matches
}

func ExampleDispatcher() {
	results := make(chan dispatch.Result)
	d := dispatch.New(dispatch.Config{Report: func(r dispatch.Result) { results <- r }})
	defer d.Close()
	err := d.Handle("greet", func(_ context.Context, a *dispatch.Attempt) error {
		if a.Number == 1 {
			return dispatch.RetryAfter(time.Minute, errors.New("nobody there"))
		}
		a.SetOutput([]byte("hello, " + string(a.Payload)))
		return nil
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for n := 1; n <= 2; n++ {
		d.Assign([]*dispatch.Attempt{{ID: "e1", Job: "j", Number: n, Token: uint64(n), Handler: "greet", Payload: []byte("world")}})
		r := <-results
		fmt.Printf("%v error=%q after=%v output=%q\n", r.Outcome, r.Error, r.RetryAfter, r.Output)
	}
	// Output:
	// failed error="nobody there" after=1m0s output=""
	// succeeded error="" after=0s output="hello, world"
}
