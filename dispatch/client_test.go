package dispatch

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// hop is what one server of a chain of redirects saw.
type hop struct {
	method string
	header http.Header
	body   string
}

// recordHop serves the last hop.
func recordHop(seen *[]hop) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		*seen = append(*seen, hop{r.Method, r.Header, string(body)})
	}
}

func secretHook(url string) *Webhook {
	return &Webhook{URL: url, FollowRedirects: 3, SecretHeaders: map[string]string{"X-Api-Key": "k", "Cookie": "c=1"},
		Headers: map[string]string{"X-Tenant": "a"}, Bearer: "tok", Secrets: []string{vectorSecret}}
}

func TestRedirectsAreNotFollowedByDefault(t *testing.T) {
	server := httptest.NewServer(http.RedirectHandler("https://u:p@elsewhere/x?token=secret", http.StatusPermanentRedirect))
	defer server.Close()
	r := sendWith(t, Config{}, &Webhook{URL: server.URL})
	if r.Outcome != Failed || !r.Permanent || r.HTTPStatus != 308 || !strings.Contains(r.Error, "https://elsewhere/x, which is not followed") ||
		strings.Contains(r.Error, "secret") || strings.Contains(r.Error, "u:p") {
		t.Errorf("%+v", r)
	}
	// The host's client is not asked either.
	host := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { t.Error("asked"); return nil }}
	if r := sendWith(t, Config{Client: host}, &Webhook{URL: server.URL}); r.HTTPStatus != 308 {
		t.Errorf("%+v", r)
	}
}

func TestRedirectOnTheSameHost(t *testing.T) {
	var seen []hop
	mux := http.NewServeMux()
	mux.Handle("/a", http.RedirectHandler("/b", http.StatusTemporaryRedirect))
	mux.Handle("/b", http.RedirectHandler("/c", http.StatusPermanentRedirect))
	mux.Handle("/c", recordHop(&seen))
	server := httptest.NewServer(mux)
	defer server.Close()
	r := sendWith(t, Config{}, secretHook(server.URL+"/a"))
	if r.Outcome != Succeeded || len(seen) != 1 {
		t.Fatalf("%+v", r)
	}
	h := seen[0]
	if h.method != "POST" || h.body != `{"a":1}` || h.header.Get("X-Api-Key") != "k" || h.header.Get("Authorization") != "Bearer tok" ||
		h.header.Get("Webhook-Signature") == "" || h.header.Get("Referer") != "" {
		t.Errorf("%+v", h)
	}
	hook := secretHook(server.URL + "/a")
	hook.FollowRedirects = 1
	if r := sendWith(t, Config{}, hook); r.Outcome != Failed || r.HTTPStatus != 308 || !r.Permanent {
		t.Errorf("one too many: %+v", r)
	}
	hook.FollowRedirects, hook.SuccessCodes = 3, []int{307}
	if r := sendWith(t, Config{}, hook); r.Outcome != Succeeded || r.HTTPStatus != 307 {
		t.Errorf("a redirect that is the success: %+v", r)
	}
}

// Once the request has left the origin, no secret goes along, not even back.
func TestRedirectToAnotherHost(t *testing.T) {
	var seen []hop
	var home *httptest.Server
	away := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recordHop(&seen)(w, r)
		http.Redirect(w, r, home.URL+"/back", http.StatusTemporaryRedirect)
	}))
	defer away.Close()
	mux := http.NewServeMux()
	mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, away.URL+"/?q=1", http.StatusTemporaryRedirect)
	})
	mux.Handle("/back", recordHop(&seen))
	home = httptest.NewServer(mux)
	defer home.Close()
	r := sendWith(t, Config{}, secretHook(home.URL+"/start?token=x"))
	if r.Outcome != Succeeded || len(seen) != 2 {
		t.Fatalf("%+v, %d hops", r, len(seen))
	}
	for i, h := range seen {
		for _, name := range []string{"X-Api-Key", "Cookie", "Authorization", "Webhook-Signature", "Referer"} {
			if h.header.Get(name) != "" {
				t.Errorf("hop %d got %s", i, name)
			}
		}
		if h.header.Get("X-Tenant") != "a" || h.header.Get("Webhook-Id") != "exec1" || h.body != `{"a":1}` {
			t.Errorf("hop %d: %+v", i, h)
		}
	}
}

func TestRedirectThatLosesThePayload(t *testing.T) {
	var seen []hop
	for _, code := range []int{301, 302, 303} {
		mux := http.NewServeMux()
		mux.Handle("/a", http.RedirectHandler("/b", code))
		mux.Handle("/b", recordHop(&seen))
		server := httptest.NewServer(mux)
		r := sendWith(t, Config{}, secretHook(server.URL+"/a"))
		if r.Outcome != Failed || !r.Permanent || r.HTTPStatus != code || len(seen) != 0 || !strings.Contains(r.Error, "drop the method") {
			t.Errorf("%d, POST: %+v", code, r)
		}
		hook := secretHook(server.URL + "/a")
		hook.Method = "GET"
		if r := sendWith(t, Config{}, hook); r.Outcome != Succeeded || len(seen) != 1 {
			t.Errorf("%d, GET: %+v", code, r)
		}
		seen = nil
		server.Close()
	}
}

func TestRedirectFromHTTPSToHTTP(t *testing.T) {
	var seen []hop
	plain := httptest.NewServer(recordHop(&seen))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	defer secure.Close()
	r := sendWith(t, Config{Client: secure.Client()}, secretHook(secure.URL))
	if r.Outcome != Failed || !r.Permanent || len(seen) != 0 || !strings.Contains(r.Error, "from https to http") {
		t.Errorf("%+v", r)
	}
}

func TestTransportLimits(t *testing.T) {
	tr := newTransport(true)
	if tr.TLSClientConfig.MinVersion != tls.VersionTLS12 || tr.TLSClientConfig.InsecureSkipVerify || tr.MaxResponseHeaderBytes == 0 ||
		tr.MaxIdleConns == 0 || tr.MaxIdleConnsPerHost == 0 || tr.MaxConnsPerHost == 0 || tr.IdleConnTimeout == 0 || tr.TLSHandshakeTimeout == 0 {
		t.Errorf("%+v", tr)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Big", strings.Repeat("x", 80<<10))
	}))
	defer server.Close()
	if r := sendWith(t, Config{}, &Webhook{URL: server.URL}); r.Outcome != Failed || !strings.Contains(r.Error, "header") {
		t.Errorf("big header: %+v", r)
	}
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsServer.Close()
	if r := sendWith(t, Config{}, &Webhook{URL: tlsServer.URL}); r.Outcome != Failed || r.Permanent || !strings.Contains(r.Error, "certificate") {
		t.Errorf("unknown certificate: %+v", r)
	}
}
