package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestShow(t *testing.T) {
	var buf bytes.Buffer
	if err := show(t.Context(), &buf); err != nil {
		t.Fatal(err)
	}
	out := buf.String()
	for _, want := range []string{
		"reads show [secret]",
		"answered 503, Retry-After 1 second",
		"invoices are sent: answered 200",
		"The ledger says succeeded, after 2 attempts",
		"attempt 1: failed, HTTP 503",
		"attempt 2: succeeded, HTTP 200",
		"answer kept as output: sent",
		"Somebody without the secret gets: 401 Unauthorized",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q", want)
		}
	}
	got := regexp.MustCompile(`received (\S+), attempt (\d)`).FindAllStringSubmatch(out, -1)
	if len(got) != 2 || got[0][1] != got[1][1] || got[0][2] != "1" || got[1][2] != "2" {
		t.Errorf("the two requests do not have one webhook-id: %v", got)
	}
	if strings.Contains(out, "whsec_") {
		t.Error("the secret is shown")
	}
	if t.Failed() {
		t.Log(out)
	}
}
