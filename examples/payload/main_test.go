package main

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/chronostest"
)

func TestShow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		if err := show(t.Context(), &out); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{
			"of the job itself:\n  succeeded after attempt 1: Ada owes 12.50 EUR\n",
			"from an older program:\n  succeeded after attempt 1: Bob owes 7.00 EUR\n",
			"from a newer program:\n  failed after attempt 3: the payload is of a newer version: 3, and this program knows 2\n",
			"that nobody knows:\n  failed after attempt 1: payload of invoice: json: unknown field \"vat\"\n",
			"has to be there:\n  failed after attempt 1: payload of invoice: customer and currency are required\n",
			"no JSON:\n  failed after attempt 1: payload of invoice: invalid character",
		} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("output lacks %q", want)
			}
		}
		if t.Failed() {
			t.Log(out.String())
		}
	})
}

// What a program encodes it decodes to the same, and what it does not understand
// it does not guess.
func TestDecode(t *testing.T) {
	in := invoice{V: current, Customer: "Ada", Cents: 1 << 60, Currency: "EUR"}
	payload, err := encode(in)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decode(payload); err != nil || !reflect.DeepEqual(got, in) {
		t.Errorf("%s: %+v, %v", payload, got, err)
	}
	for _, bad := range []string{``, `null`, `[]`, `{}`, `{"v":-1}`, `{"v":1,"customer":"a","euros":1}`, `{"customer":"a","euros":1.5}`, string(payload) + `{}`} {
		if got, err := decode([]byte(bad)); err == nil || errors.Is(err, errNewer) {
			t.Errorf("%s: %+v, %v", bad, got, err)
		}
	}
}

// The handler alone, as it is called in production: a payload that cannot be read
// is a failure, and the work is not done.
func TestHandler(t *testing.T) {
	x := chronostest.RunNow(t, chronos.Job{ID: "invoice", Payload: []byte(`{`)}, versioned(send))
	if x.Status != chronos.StatusFailed || len(x.Output) > 0 {
		t.Errorf("%s %q", x.Status, x.Output)
	}
}
