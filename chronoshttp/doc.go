// Package chronoshttp serves a [chronos.Scheduler] over HTTP: a JSON API with
// an OpenAPI file, events as they happen, and a dashboard that needs nothing
// from elsewhere. It is a module of its own, of the standard library and Chronos.
//
//	h, err := chronoshttp.New(chronoshttp.Config{Scheduler: s, Authorize: who})
//	if err != nil {
//		return err
//	}
//	mux.Handle("/chronos/", http.StripPrefix("/chronos", h))
//
// Nobody may do anything until [Config].Authorize says so. docs/http.md has the
// API, how to authorise, and how to run it behind a proxy.
package chronoshttp
