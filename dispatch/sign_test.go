package dispatch

import (
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The vector of the Standard Webhooks libraries.
const (
	vectorSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	vectorID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	vectorBody      = `{"test": 2432232314}`
	vectorSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func vectorTime() time.Time { return time.Unix(1614265330, 0) }

func vectorHeader(edit ...func(http.Header)) http.Header {
	h := http.Header{}
	h.Set("webhook-id", vectorID)
	h.Set("webhook-timestamp", "1614265330")
	h.Set("webhook-signature", vectorSignature)
	for _, e := range edit {
		e(h)
	}
	return h
}

func secretOf(n int) string {
	return secretPrefix + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", n)))
}

func TestSign(t *testing.T) {
	for _, c := range []struct {
		name, secret, id string
		ok               bool
	}{
		{"vector", vectorSecret, vectorID, true},
		{"without prefix", strings.TrimPrefix(vectorSecret, secretPrefix), vectorID, true},
		{"shortest key", secretOf(24), vectorID, true},
		{"longest key", secretOf(64), vectorID, true},
		{"key too short", secretOf(23), vectorID, false},
		{"key too long", secretOf(65), vectorID, false},
		{"no base64", "whsec_!!!", vectorID, false},
		{"line break", vectorSecret + "\n", vectorID, false},
		{"empty", "", vectorID, false},
		{"no ID", vectorSecret, "", false},
		{"dot in the ID", vectorSecret, "a.b", false},
		{"space in the ID", vectorSecret, "a b", false},
		{"line break in the ID", vectorSecret, "a\r\nb", false},
		{"not ASCII", vectorSecret, "é", false},
	} {
		got, err := Sign(c.secret, c.id, vectorTime(), []byte(vectorBody))
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
		if strings.HasSuffix(vectorSecret, strings.TrimPrefix(c.secret, secretPrefix)) && c.secret != "" && c.ok && got != vectorSignature {
			t.Errorf("%s: %s", c.name, got)
		}
		if err != nil && len(c.secret) > 8 && strings.Contains(err.Error(), strings.TrimPrefix(c.secret, secretPrefix)) {
			t.Errorf("%s: the error quotes the secret", c.name)
		}
	}
}

func TestVerify(t *testing.T) {
	other, _ := Sign(secretOf(32), vectorID, vectorTime(), []byte(vectorBody))
	set := func(name, value string) func(http.Header) { return func(h http.Header) { h.Set(name, value) } }
	for _, c := range []struct {
		name   string
		header http.Header
		body   string
		late   time.Duration
		ok     bool
	}{
		{"vector", vectorHeader(), vectorBody, 0, true},
		{"at the tolerance", vectorHeader(), vectorBody, time.Minute, true},
		{"too old", vectorHeader(), vectorBody, time.Minute + time.Second, false},
		{"ahead within tolerance", vectorHeader(), vectorBody, -time.Minute, true},
		{"too far ahead", vectorHeader(), vectorBody, -time.Minute - time.Second, false},
		{"other body", vectorHeader(), vectorBody + " ", 0, false},
		{"other ID", vectorHeader(set("webhook-id", "msg_x")), vectorBody, 0, false},
		{"other timestamp", vectorHeader(set("webhook-timestamp", "1614265331")), vectorBody, 0, false},
		{"rotation, second matches", vectorHeader(set("webhook-signature", other+" "+vectorSignature)), vectorBody, 0, true},
		{"rotation, first matches", vectorHeader(set("webhook-signature", vectorSignature+" "+other)), vectorBody, 0, true},
		{"several lines", vectorHeader(set("webhook-signature", other), func(h http.Header) { h.Add("webhook-signature", vectorSignature) }), vectorBody, 0, true},
		{"other secret", vectorHeader(set("webhook-signature", other)), vectorBody, 0, false},
		{"other version", vectorHeader(set("webhook-signature", "v1a"+vectorSignature[2:])), vectorBody, 0, false},
		{"no version", vectorHeader(set("webhook-signature", vectorSignature[3:])), vectorBody, 0, false},
		{"part of it", vectorHeader(set("webhook-signature", vectorSignature[:20])), vectorBody, 0, false},
		{"too many", vectorHeader(set("webhook-signature", strings.Repeat("v1,x ", 40)+vectorSignature)), vectorBody, 0, false},
		{"no signature", vectorHeader(func(h http.Header) { h.Del("webhook-signature") }), vectorBody, 0, false},
		{"empty signature", vectorHeader(set("webhook-signature", "")), vectorBody, 0, false},
		{"no ID", vectorHeader(func(h http.Header) { h.Del("webhook-id") }), vectorBody, 0, false},
		{"no timestamp", vectorHeader(func(h http.Header) { h.Del("webhook-timestamp") }), vectorBody, 0, false},
		{"two IDs", vectorHeader(func(h http.Header) { h.Add("webhook-id", vectorID) }), vectorBody, 0, false},
		{"timestamp with sign", vectorHeader(set("webhook-timestamp", "+1614265330")), vectorBody, 0, false},
		{"timestamp huge", vectorHeader(set("webhook-timestamp", "9223372036854775807")), vectorBody, 0, false},
		{"timestamp negative", vectorHeader(set("webhook-timestamp", "-1")), vectorBody, 0, false},
		{"timestamp no number", vectorHeader(set("webhook-timestamp", "now")), vectorBody, 0, false},
	} {
		err := Verify(vectorSecret, c.header, []byte(c.body), vectorTime().Add(c.late), time.Minute)
		if (err == nil) != c.ok || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	if err := Verify(vectorSecret, vectorHeader(), []byte(vectorBody), vectorTime().Add(5*time.Minute), 0); err != nil {
		t.Errorf("default tolerance: %v", err)
	}
	if err := Verify(vectorSecret, vectorHeader(), []byte(vectorBody), vectorTime().Add(6*time.Minute), 0); err == nil {
		t.Error("default tolerance: none")
	}
	if err := Verify("", vectorHeader(), []byte(vectorBody), vectorTime(), 0); !errors.Is(err, ErrSignature) {
		t.Errorf("no secret: %v", err)
	}
	// What is shifted from the ID into the body must not verify, though the signed bytes are the same.
	signed, _ := decodeSecret(vectorSecret)
	h := vectorHeader(set("webhook-id", "a.1614265330"), set("webhook-signature", signature(signed, "a.1614265330", vectorTime().Unix(), nil)))
	if Verify(vectorSecret, h, nil, vectorTime(), 0) == nil {
		t.Error("an ID with a dot verifies")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(vectorSecret, vectorID, "1614265330", vectorSignature, []byte(vectorBody))
	f.Add("whsec_", "", "-1", "v1,", []byte(nil))
	f.Add(secretOf(64), "a.b", "99999999999999999999", "v1,a v1,b", []byte{0xff})
	f.Fuzz(func(t *testing.T, secret, id, stamp, sig string, body []byte) {
		h := http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {stamp}, "Webhook-Signature": {sig}}
		if err := Verify(secret, h, body, vectorTime(), time.Minute); err == nil {
			// Whatever verifies is what Sign makes of the same.
			want, err := Sign(secret, id, vectorTime(), body)
			if err != nil || stamp == "1614265330" && !strings.Contains(sig, want) {
				t.Errorf("verified: %q %q %q", id, stamp, sig)
			}
		} else if !errors.Is(err, ErrSignature) {
			t.Errorf("error %v", err)
		}
		// Whatever is signed verifies.
		made, err := Sign(secret, id, vectorTime(), body)
		if err != nil {
			return
		}
		h = http.Header{"Webhook-Id": {id}, "Webhook-Timestamp": {"1614265330"}, "Webhook-Signature": {made}}
		if err := Verify(secret, h, body, vectorTime(), time.Minute); err != nil {
			t.Errorf("signed and not verified: %v", err)
		}
	})
}
