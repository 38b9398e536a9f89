package dispatch

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestValidate(t *testing.T) {
	const u = "https://example.com/hook"
	hdr := func(name, value string) map[string]string { return map[string]string{name: value} }
	many := map[string]string{}
	for i := range maxHeaders + 1 {
		many["X-"+strconv.Itoa(i)] = "v"
	}
	big := map[string]string{}
	for i := range 5 {
		big["X-"+strconv.Itoa(i)] = strings.Repeat("v", maxHeaderValue)
	}
	for _, c := range []struct {
		name  string
		hook  Webhook
		field string // empty: valid
	}{
		{"plain", Webhook{URL: u}, ""},
		{"everything", Webhook{URL: "http://[::1]:8080/a?b=c#d", Method: "PUT", Headers: hdr("X-Tenant", "a\tb"),
			SecretHeaders: hdr("X-Api-Key", "k"), BasicUser: "é", BasicPassword: "p:q", Secrets: []string{vectorSecret, secretOf(64)},
			SuccessCodes: []int{302, 200, 200}, MaxResponse: 1, FollowRedirects: 3, PauseOnGone: true, ContentType: "text/plain; charset=utf-8"}, ""},
		{"bearer", Webhook{URL: u, Bearer: "abc.def-_~+/="}, ""},
		{"authorization header", Webhook{URL: u, SecretHeaders: hdr("Authorization", "Digest x")}, ""},
		{"content type as header", Webhook{URL: u, Headers: hdr("content-type", "text/plain")}, ""},

		{"no URL", Webhook{}, "URL"},
		{"relative", Webhook{URL: "/hook"}, "URL"},
		{"no scheme", Webhook{URL: "example.com/hook"}, "URL"},
		{"other scheme", Webhook{URL: "ftp://example.com"}, "URL"},
		{"file", Webhook{URL: "file:///etc/passwd"}, "URL"},
		{"javascript", Webhook{URL: "javascript:alert(1)"}, "URL"},
		{"opaque", Webhook{URL: "http:example.com"}, "URL"},
		{"no host", Webhook{URL: "http:///x"}, "URL"},
		{"port only", Webhook{URL: "http://:80/x"}, "URL"},
		{"userinfo", Webhook{URL: "https://user:pw@example.com"}, "URL"},
		{"empty userinfo", Webhook{URL: "https://@example.com"}, "URL"},
		{"control character", Webhook{URL: "https://example.com/\r\nX: y"}, "URL"},
		{"space", Webhook{URL: "https://example.com/a b"}, "URL"},
		{"delete", Webhook{URL: "https://example.com/\x7f"}, "URL"},
		{"port 0", Webhook{URL: "https://example.com:0/"}, "URL"},
		{"port empty", Webhook{URL: "https://example.com:/"}, "URL"},
		{"port too high", Webhook{URL: "https://example.com:65536/"}, "URL"},
		{"bad escape", Webhook{URL: "https://exa%zzmple.com/"}, "URL"},
		{"backslash", Webhook{URL: `https://example.com\@evil.com/`}, "URL"},
		{"too long", Webhook{URL: u + strings.Repeat("x", maxURL)}, "URL"},

		{"method with space", Webhook{URL: u, Method: "PO ST"}, "Method"},
		{"method with line break", Webhook{URL: u, Method: "POST\r\n"}, "Method"},
		{"CONNECT", Webhook{URL: u, Method: "CONNECT"}, "Method"},
		{"TRACE", Webhook{URL: u, Method: "TRACE"}, "Method"},
		{"method too long", Webhook{URL: u, Method: strings.Repeat("M", maxMethod+1)}, "Method"},

		{"header injection", Webhook{URL: u, Headers: hdr("X-A", "v\r\nX-B: w")}, "Headers[X-A]"},
		{"header with NUL", Webhook{URL: u, Headers: hdr("X-A", "v\x00")}, "Headers[X-A]"},
		{"header not ASCII", Webhook{URL: u, Headers: hdr("X-A", "é")}, "Headers[X-A]"},
		{"header with space around", Webhook{URL: u, Headers: hdr("X-A", " v")}, "Headers[X-A]"},
		{"header name empty", Webhook{URL: u, Headers: hdr("", "v")}, "Headers[]"},
		{"header name with colon", Webhook{URL: u, Headers: hdr("X:A", "v")}, "Headers[X:A]"},
		{"header name with space", Webhook{URL: u, Headers: hdr("X A", "v")}, "Headers[X A]"},
		{"header name not ASCII", Webhook{URL: u, Headers: hdr("É", "v")}, "Headers[É]"},
		{"header too long", Webhook{URL: u, Headers: hdr("X-A", strings.Repeat("v", maxHeaderValue+1))}, "Headers[X-A]"},
		{"too many headers", Webhook{URL: u, Headers: many}, "Headers"},
		{"headers too big", Webhook{URL: u, Headers: big}, "Headers"},
		{"secret header injection", Webhook{URL: u, SecretHeaders: hdr("X-A", "v\nw")}, "SecretHeaders[X-A]"},
		{"same header twice", Webhook{URL: u, Headers: map[string]string{"X-A": "1", "x-a": "2"}}, "Headers[x-a]"},
		{"same header in both", Webhook{URL: u, Headers: hdr("X-A", "1"), SecretHeaders: hdr("x-a", "2")}, "SecretHeaders[x-a]"},
		{"content type twice", Webhook{URL: u, Headers: hdr("content-type", "a/b"), ContentType: "c/d"}, "ContentType"},
		{"content type injection", Webhook{URL: u, ContentType: "a/b\r\nX: y"}, "ContentType"},
		{"authorization and bearer", Webhook{URL: u, Bearer: "b", SecretHeaders: hdr("authorization", "x")}, "SecretHeaders[authorization]"},
		{"authorization and basic", Webhook{URL: u, BasicUser: "b", SecretHeaders: hdr("Authorization", "x")}, "SecretHeaders[Authorization]"},

		{"basic and bearer", Webhook{URL: u, BasicPassword: "p", Bearer: "b"}, "Bearer"},
		{"bearer with space", Webhook{URL: u, Bearer: "Bearer x"}, "Bearer"},
		{"bearer with line break", Webhook{URL: u, Bearer: "x\r\nX: y"}, "Bearer"},
		{"bearer too long", Webhook{URL: u, Bearer: strings.Repeat("x", maxCredential+1)}, "Bearer"},
		{"user with colon", Webhook{URL: u, BasicUser: "a:b"}, "BasicUser"},
		{"user with line break", Webhook{URL: u, BasicUser: "a\n"}, "BasicUser"},
		{"password with line break", Webhook{URL: u, BasicUser: "a", BasicPassword: "p\n"}, "BasicPassword"},

		{"secret no base64", Webhook{URL: u, Secrets: []string{vectorSecret, "whsec_?"}}, "Secrets[1]"},
		{"secret too short", Webhook{URL: u, Secrets: []string{secretOf(23)}}, "Secrets[0]"},
		{"secret too long", Webhook{URL: u, Secrets: []string{secretOf(65)}}, "Secrets[0]"},
		{"secret empty", Webhook{URL: u, Secrets: []string{""}}, "Secrets[0]"},
		{"too many secrets", Webhook{URL: u, Secrets: slices.Repeat([]string{vectorSecret}, maxSecrets+1)}, "Secrets"},

		{"code too low", Webhook{URL: u, SuccessCodes: []int{99}}, "SuccessCodes[0]"},
		{"code too high", Webhook{URL: u, SuccessCodes: []int{200, 600}}, "SuccessCodes[1]"},
		{"too many codes", Webhook{URL: u, SuccessCodes: slices.Repeat([]int{200}, maxSuccessCodes+1)}, "SuccessCodes"},
		{"response negative", Webhook{URL: u, MaxResponse: -1}, "MaxResponse"},
		{"response too big", Webhook{URL: u, MaxResponse: maxResponse + 1}, "MaxResponse"},
		{"redirects negative", Webhook{URL: u, FollowRedirects: -1}, "FollowRedirects"},
		{"too many redirects", Webhook{URL: u, FollowRedirects: maxRedirects + 1}, "FollowRedirects"},
	} {
		checkField(t, c.name, c.hook.Validate(), c.field)
	}
}

func checkField(t *testing.T, name string, err error, field string) {
	t.Helper()
	var got *FieldError
	switch {
	case field == "" && err == nil:
	case field == "" || !errors.As(err, &got) || got.Field != field || got.Reason == "":
		t.Errorf("%s: %v, want field %q", name, err, field)
	case !strings.HasPrefix(err.Error(), field+": "):
		t.Errorf("%s: text %q", name, err)
	}
}

func TestValidateHeaderNames(t *testing.T) {
	const u = "https://example.com/hook"
	reserved := []string{"Host", "content-LENGTH", "Transfer-Encoding", "Connection", "Keep-Alive", "Proxy-Connection", "TE",
		"Trailer", "Upgrade", "Expect", "webhook-id", "Webhook-Signature", "webhook-anything", "chronos-job", "Chronos-X"}
	for _, name := range reserved {
		w := Webhook{URL: u, Headers: map[string]string{name: "v"}}
		checkField(t, name, w.Validate(), "Headers["+name+"]")
		w = Webhook{URL: u, SecretHeaders: map[string]string{name: "v"}}
		checkField(t, name, w.Validate(), "SecretHeaders["+name+"]")
	}
	sensitive := []string{"Authorization", "proxy-authorization", "Cookie", "X-API-Key", "Api-Key", "X-Auth-Token",
		"Private-Token", "X-Client-Secret", "X-Password", "X-Access-Token"}
	for _, name := range sensitive {
		field := "Headers[" + name + "]"
		if name == "X-Password" {
			field = "Headers[X-Password]"
		}
		w := Webhook{URL: u, Headers: map[string]string{name: "v"}}
		checkField(t, name, w.Validate(), field)
		w = Webhook{URL: u, SecretHeaders: map[string]string{name: "v"}}
		checkField(t, name, w.Validate(), "")
	}
}

// No reason for refusal may quote what was entered as a secret.
func TestValidateQuotesNoSecret(t *testing.T) {
	const secret = "hunter2hunter2"
	for _, w := range []Webhook{
		{URL: "https://user:" + secret + "@example.com"},
		{URL: "https://user:" + secret + "%zz@example.com"},
		{URL: "https://x", SecretHeaders: map[string]string{"X-A": secret + "\n"}},
		{URL: "https://x", Headers: map[string]string{"Authorization": secret}},
		{URL: "https://x", Bearer: secret + "\n"},
		{URL: "https://x", BasicPassword: secret + "\n"},
		{URL: "https://x", Secrets: []string{secret}},
	} {
		if err := w.Validate(); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

func FuzzValidate(f *testing.F) {
	f.Add("https://example.com/x?y#z", "POST", "X-A", "v", "X-Api-Key", "s", "bearer", vectorSecret)
	f.Add("http://[fe80::1%25eth0]:80", "", "A", "", "B", "", "", "")
	f.Add("https://example.com\\@evil", "G\tT", "webhook-id", "\r\n", "é", "\x00", " ", "whsec_")
	f.Fuzz(func(t *testing.T, u, method, name, value, secretName, secretValue, bearer, secret string) {
		w := Webhook{URL: u, Method: method, Headers: map[string]string{name: value},
			SecretHeaders: map[string]string{secretName: secretValue}, Bearer: bearer, Secrets: []string{secret}}
		err := w.Validate()
		if err != nil {
			var fe *FieldError
			if !errors.As(err, &fe) || fe.Field == "" || fe.Reason == "" {
				t.Errorf("error %v", err)
			}
			return
		}
		// What is valid can be sent, by exactly the headers it names.
		a := &Attempt{ID: "x", Webhook: &w, Payload: []byte("{}")}
		req, err := w.request(t.Context(), a, time.Unix(1, 0))
		if err != nil {
			t.Fatalf("valid, and no request: %v", err)
		}
		if req.URL.User != nil || req.URL.Host == "" || req.Header.Get(name) != value || req.Header.Get(secretName) != secretValue {
			t.Errorf("%v, headers %v", req.URL, slices.Collect(maps.Keys(req.Header)))
		}
		var wire strings.Builder
		if err := req.Write(&wire); err != nil {
			return // a host that is no domain name
		}
		head, _, _ := strings.Cut(wire.String(), "\r\n\r\n")
		want := len(req.Header) + 3 // request line, Host, Content-Length
		if _, ok := req.Header[http.CanonicalHeaderKey("User-Agent")]; ok && req.Header.Get("User-Agent") == "" {
			want-- // an empty one is left out
		}
		if got := len(strings.Split(head, "\n")); got != want {
			t.Errorf("%d lines for %d headers: %q", got, want, head)
		}
	})
}
