package chronoshttp_test

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronoshttp"
)

type user struct {
	Name     string
	Operator bool
}

// userOf stands for however a program knows who asks.
func userOf(r *http.Request) (user, bool) {
	name := r.Header.Get("X-User")
	return user{name, name == "olga"}, name != ""
}

func mount(s *chronos.Scheduler, mux *http.ServeMux, server *http.Server) error {
	h, err := chronoshttp.New(chronoshttp.Config{
		Scheduler: s,
		Authorize: func(r *http.Request, a chronoshttp.Access) (string, error) {
			user, ok := userOf(r) // however your program knows
			switch {
			case !ok:
				return "", chronoshttp.ErrUnauthenticated // 401
			case a.Action == chronoshttp.ActionRead || user.Operator:
				return user.Name, nil // kept as the actor of versions, pauses and triggers
			}
			return "", errors.New("operators only") // 403
		},
		Challenge: `Basic realm="chronos"`, // with basic authentication: else browsers do not ask for the password
	})
	if err != nil {
		return err
	}
	mux.Handle("/chronos/", http.StripPrefix("/chronos", h))
	server.RegisterOnShutdown(h.Close) // or streams of events would hold up Shutdown
	return nil
}

// Everybody who is known may look, operators may do everything.
func ExampleNew() {
	quiet := slog.New(slog.DiscardHandler)
	s, err := chronos.New(chronos.Options{InMemory: true, Logger: quiet})
	if err != nil {
		panic(err)
	}
	defer s.Close()
	mux, server := http.NewServeMux(), &http.Server{}
	slog.SetDefault(quiet)
	if err := mount(s, mux, server); err != nil {
		panic(err)
	}

	for _, name := range []string{"", "vera", "olga"} {
		for _, call := range []string{"GET /chronos/api/v1/jobs", "DELETE /chronos/api/v1/jobs/report"} {
			var method, path string
			fmt.Sscan(call, &method, &path)
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("X-User", name)
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			fmt.Printf("%q %s %d\n", name, method, w.Code)
		}
	}
	// Output:
	// "" GET 401
	// "" DELETE 401
	// "vera" GET 200
	// "vera" DELETE 403
	// "olga" GET 200
	// "olga" DELETE 404
}
