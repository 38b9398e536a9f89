package dispatch

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRedact(t *testing.T) {
	w := &Webhook{
		SecretHeaders: map[string]string{"Authorization": "Token tok-abcdefgh", "X-Pin": "42"},
		BasicUser:     "user", BasicPassword: `pa"ss/wo rd`,
		Bearer:  "bearer-token",
		Secrets: []string{vectorSecret},
	}
	r := w.redactor()
	for in, want := range map[string]string{
		"nothing to see":                      "nothing to see",
		"Authorization: Token tok-abcdefgh":   "Authorization: [redacted]",
		"token was tok-abcdefgh.":             "token was [redacted].",
		"pin 42, code 402, 42":                "pin [redacted], code 402, [redacted]",
		"42":                                  "[redacted]",
		"4242":                                "4242",
		`pa"ss/wo rd`:                         "[redacted]",
		`{"p":"pa\"ss/wo rd"}`:                `{"p":"[redacted]"}`,
		"?p=pa%22ss%2Fwo+rd":                  "?p=[redacted]",
		"Basic dXNlcjpwYSJzcy93byByZA==":      "Basic [redacted]",
		"bearer-token,bearer-token":           "[redacted],[redacted]",
		vectorSecret:                          "[redacted]",
		"key " + vectorSecret[6:]:             "key [redacted]",
		"é" + vectorSecret[6:] + "\xff":       "é[redacted]\xff",
		"user is not a secret, nor is hooray": "user is not a secret, nor is hooray",
	} {
		if got := r.text(in, false); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := r.text("cut in the middle: bearer-to", true); got != "cut in the middle: [redacted]" {
		t.Errorf("cut: %q", got)
	}
	if got := r.text("ends with bea", true); got != "ends with bea" {
		t.Errorf("cut: %q", got)
	}
	if got := (&Webhook{}).redactor().text("x", true); got != "x" {
		t.Errorf("without secrets: %q", got)
	}
}

func TestCleanURL(t *testing.T) {
	for in, want := range map[string]string{
		"https://h/p?q=1#f": "https://h/p",
		"https://u:p@h:8/p": "https://h:8/p",
		"https://u:p@x@h":   "https://h",
		"http://h":          "http://h",
		"nonsense":          "nonsense",
		`Get "https://u:p@h/p?q=s": refused (HTTP://a@b?c)`: `Get "https://h/p": refused (HTTP://b`,
	} {
		if got := scrubURLs(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

// However a webhook is printed or logged, its secrets are not.
func TestWebhookIsPrintedWithoutSecrets(t *testing.T) {
	w := Webhook{URL: "https://u:hunter2@h/p?k=hunter2", SecretHeaders: map[string]string{"A": "hunter2"},
		BasicPassword: "hunter2", Bearer: "hunter2", Secrets: []string{"hunter2"}}
	a := &Attempt{ID: "x", Webhook: &w}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "hook", w, "ptr", &w, "attempt", a)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "hook", w, "ptr", &w)
	data, err := json.Marshal(Webhook{Bearer: "hunter2", Secrets: []string{"hunter2"}, BasicPassword: "hunter2", SecretHeaders: map[string]string{"A": "hunter2"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{
		fmt.Sprint(w), fmt.Sprint(&w), fmt.Sprintf("%+v", w), fmt.Sprintf("%#v", w), fmt.Sprintf("%#v", &w), fmt.Sprintf("%s %d", w, w),
		fmt.Sprintf("%+v", *a.Webhook), a.target(), log.String(), string(data),
	} {
		if strings.Contains(s, "hunter2") {
			t.Errorf("secret in %s", s)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("a secret in a text", "secret", 100)
	f.Add("\xff[redacted]\xff", "redacted", 3)
	f.Fuzz(func(t *testing.T, text, secret string, limit int) {
		w := &Webhook{Bearer: secret}
		got := w.redactor().text(text, true)
		if len(secret) >= shortSecret && !strings.Contains(redacted, secret) && !strings.Contains(text, redacted[:1]) &&
			!strings.ContainsAny(secret, "[]") && strings.Contains(got, secret) {
			t.Errorf("%q in %q", secret, got)
		}
		limit = max(8, limit%5000)
		if c := capText(got, limit); len(c) > limit || !utf8.ValidString(c) {
			t.Errorf("%d bytes of %d, valid %v", len(c), limit, utf8.ValidString(c))
		}
	})
}
