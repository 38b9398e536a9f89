package dispatch

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// Wherever a redirect leads, its address is judged as that of the URL is: however
// it is written, and though the first hop was fine.
func TestRedirectsAreGuarded(t *testing.T) {
	var home *httptest.Server
	var hits atomic.Int32
	home = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/inside" {
			hits.Add(1)
			return
		}
		http.Redirect(w, r, r.URL.Query().Get("to"), http.StatusTemporaryRedirect)
	}))
	defer home.Close()
	_, port, _ := net.SplitHostPort(home.Listener.Addr().String())
	for _, block := range []bool{false, true} {
		guarded := guardedTransport(&net.Dialer{Control: Guard(block)})
		client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "public.example:") { // only this name leads to the test's server
				return net.Dial("tcp", home.Listener.Addr().String())
			}
			return guarded.DialContext(ctx, network, addr)
		}}}
		for host, always := range map[string]bool{
			"169.254.169.254": true, "[::ffff:169.254.169.254]": true, "[::ffff:a9fe:a9fe]": true, "[64:ff9b::a9fe:a9fe]": true,
			"[::ffff:0:169.254.169.254]": true, "[2002:a9fe:a9fe::]": true, "[fe80::1%25lo]": true, "[fd00:ec2::254]": true, "168.63.129.16": true,
			"127.0.0.1:" + port: false, "[::ffff:127.0.0.1]:" + port: false, "[::ffff:7f00:1]:" + port: false, "0.0.0.0:" + port: false,
			"[::]:" + port: false, "[::1]:" + port: false, "localhost:" + port: false, "10.0.0.1:1": false, "[64:ff9b::7f00:1]:1": false, "[fc00::1]:1": false,
		} {
			if !always && !block {
				continue // allowed, and may not even be there
			}
			r := sendWith(t, Config{Client: client}, &Webhook{
				URL: "http://public.example:" + port + "/?to=" + url.QueryEscape("http://"+host+"/inside?x=y"), FollowRedirects: 3,
			})
			if r.Outcome != Failed || !r.Permanent || !strings.Contains(r.Error, "is refused") || strings.Contains(r.Error, "x=y") {
				t.Errorf("block %v, %s: %+v", block, host, r)
			}
		}
		client.CloseIdleConnections()
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d requests reached the inside", n)
	}
}

// A name that shows a public address to who looks, and leads inside when it is
// connected to, is refused at the connection, as are names with several addresses.
func TestGuardHoldsAgainstPrivateRebinding(t *testing.T) {
	var hits atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer server.Close()
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())
	for _, inside := range []string{"127.0.0.1", "0.0.0.0", "10.0.0.1", "100.64.0.1", "169.254.169.254"} {
		var lookups atomic.Int32
		resolver := &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
			client, dns := net.Pipe()
			go answerDNS(dns, func() netip.Addr {
				if lookups.Add(1) == 1 {
					return netip.MustParseAddr("93.184.216.34")
				}
				return netip.MustParseAddr(inside)
			})
			return client, nil
		}}
		seen, err := resolver.LookupNetIP(t.Context(), "ip4", "rebind.example")
		if err != nil || len(seen) != 1 || seen[0].IsPrivate() || seen[0].IsLoopback() {
			t.Fatalf("the first look shows %v, %v", seen, err)
		}
		transport := guardedTransport(&net.Dialer{Resolver: resolver, Control: Guard(true)})
		r := sendWith(t, Config{Client: &http.Client{Transport: transport}}, &Webhook{URL: "http://rebind.example:" + port + "/"})
		if r.Outcome != Failed || !r.Permanent || !strings.Contains(r.Error, inside+" is refused") || lookups.Load() < 2 {
			t.Errorf("%s, %d lookups: %+v", inside, lookups.Load(), r)
		}
		transport.CloseIdleConnections()
	}
	if n := hits.Load(); n > 0 {
		t.Errorf("%d requests reached the inside", n)
	}
}

// Whatever a receiver makes of the secrets it was sent, they do not come back in
// the error: in a status, a header, a redirect, or what is no HTTP at all.
func TestHostileAnswersShowNoSecret(t *testing.T) {
	const secret = `s3cr3t-key/"quoted" & more`
	for _, answer := range []string{
		"%s\r\n\r\n", "HTTP/1.1 %s\r\n\r\n", "HTTP/1.1 999999 %s\r\n\r\n", "HTTP/1.1 500 %s\r\n\r\n", "HTTP/%s 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n%s\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: %s\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: %s\r\n\r\n", "HTTP/1.1 307 x\r\nLocation: http://elsewhere.example/%s\r\n\r\n",
		"HTTP/1.1 307 x\r\nLocation: http://%s/\r\n\r\n", "HTTP/1.1 307 x\r\nLocation: %s://x/\r\n\r\n", "HTTP/1.1 307 x\r\nLocation: http://u:%s@127.0.0.1:1/\r\n\r\n",
		"HTTP/1.1 503 x\r\nRetry-After: %s\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%s\r\n",
	} {
		for _, value := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(fmt.Sprintf("%q", secret), `"`), "hunter2hunter2", vectorSecret} {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			served := make(chan struct{})
			go func() {
				defer close(served)
				for {
					conn, err := ln.Accept()
					if err != nil {
						return
					}
					_, _ = conn.Read(make([]byte, 4096))
					_, _ = fmt.Fprintf(conn, answer, value)
					_ = conn.Close()
				}
			}()
			client := &http.Client{Transport: &http.Transport{DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
				if addr != ln.Addr().String() {
					return nil, fmt.Errorf("nobody is at %s", addr)
				}
				return net.Dial("tcp", addr)
			}}}
			for _, redirects := range []int{0, 2} {
				r := sendWith(t, Config{Client: client}, &Webhook{URL: "http://" + ln.Addr().String(), FollowRedirects: redirects,
					SecretHeaders: map[string]string{"X-Api-Key": secret}, BasicUser: "u", BasicPassword: "hunter2hunter2", Secrets: []string{vectorSecret}})
				for _, hidden := range []string{"s3cr3t", "hunter2", vectorSecret[6:14]} {
					if strings.Contains(r.Error, hidden) || strings.Contains(string(r.Output), hidden) || strings.Contains(fmt.Sprintf("%+v", r), hidden) {
						t.Errorf("%q of %q shows %s: %q, %q", answer, value, hidden, r.Error, r.Output)
					}
				}
			}
			ln.Close()
			<-served
			client.CloseIdleConnections()
		}
	}
}

// An ID or a name that could not stand in a header does not end it either.
func TestIDsDoNotInjectHeaders(t *testing.T) {
	for _, id := range []string{"a\r\nX-Evil: 1", "a\nX-Evil: 1", "a\x00b", "ä", " a ", "a\tb\r"} {
		hook := &Webhook{URL: "http://example.com/", Headers: map[string]string{"X-Tenant": "t"}}
		a := attempt(id, "")
		a.Job, a.Webhook = id, hook
		req, err := hook.request(t.Context(), a, vectorTime())
		if err != nil {
			t.Fatal(err)
		}
		var wire strings.Builder
		if err := req.Write(&wire); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		head, _, _ := strings.Cut(wire.String(), "\r\n\r\n")
		for line := range strings.SplitSeq(head, "\n") {
			if name, _, _ := strings.Cut(line, ":"); strings.EqualFold(strings.TrimSpace(name), "X-Evil") || strings.ContainsAny(line, "\x00") {
				t.Errorf("%q: line %q", id, line)
			}
		}
		parsed, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire.String())))
		if err != nil || parsed.Header.Get("X-Evil") != "" {
			t.Errorf("%q: %v, %v", id, parsed, err)
		}
		_, _ = io.Copy(io.Discard, parsed.Body)
	}
}
