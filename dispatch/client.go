package dispatch

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// newTransport makes the transport of our own client: guarded dials, no proxy,
// bounded connections, headers and waits.
func newTransport(blockPrivate bool) *http.Transport {
	return guardedTransport(&net.Dialer{
		Timeout:   10 * time.Second,
		KeepAlive: 30 * time.Second,
		Control:   Guard(blockPrivate),
	})
}

// guardedTransport is newTransport around a given dialer.
func guardedTransport(dialer *net.Dialer) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // a proxy would dial in our place, past the guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ExpectContinueTimeout:  time.Second,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           256,
		MaxIdleConnsPerHost:    64,  // of few, most would be closed and made anew: that costs more than a request
		MaxConnsPerHost:        256, // the rest waits its turn instead of using up file descriptors
		MaxResponseHeaderBytes: 64 << 10,
		DisableCompression:     true, // answers are short, and a limit on bytes is one on bytes sent
		ForceAttemptHTTP2:      true,
	}
}

// errDowngrade refuses a redirect that would send the payload in the clear.
var errDowngrade = errors.New("the redirect leads from https to http, which is refused; change the webhook's URL")

// redirect is an http.Client's CheckRedirect. A redirect is followed if the
// webhook has some left and the method stays: one that turns a POST into a GET
// would lose the payload and look like success. Once a hop has left the origin of
// the URL, secrets and signatures are not sent any more.
func (w *Webhook) redirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case len(via) > w.FollowRedirects,
		req.Method != first.Method,
		slices.Contains(w.SuccessCodes, req.Response.StatusCode):
		return http.ErrUseLastResponse // judged by its status
	case via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme != "https":
		return errDowngrade
	}
	req.Header.Del("Referer") // it would carry the query of the URL before
	hops := append(slices.Clone(via[1:]), req)
	if slices.ContainsFunc(hops, func(r *http.Request) bool { return origin(r.URL) != origin(first.URL) }) {
		for name := range w.SecretHeaders {
			req.Header.Del(name)
		}
		req.Header.Del("Authorization")
		req.Header.Del(headerSignature)
	}
	return nil
}

// origin is the part of a URL that says who gets the request.
func origin(u *url.URL) [3]string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return [3]string{u.Scheme, u.Hostname(), port}
}
