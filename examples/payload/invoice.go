package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// current is the version that this program writes. It reads all up to it, as long
// as payloads of them may be stored: in jobs, and in what waits.
const current = 2

// invoice is a payload. What an older program wrote is changed into it.
type invoice struct {
	V        int    `json:"v"`
	Customer string `json:"customer"`
	Cents    int64  `json:"cents"`
	Currency string `json:"currency"`
}

// invoice1 is how it was at first: without a version, and in euros only.
type invoice1 struct {
	V        int    `json:"v"`
	Customer string `json:"customer"`
	Euros    int64  `json:"euros"`
}

// errNewer: the payload is of a version that only a newer program knows.
var errNewer = errors.New("the payload is of a newer version")

// encode makes a payload of a struct.
func encode(v any) ([]byte, error) { return json.Marshal(v) }

// decode reads an invoice of any version up to the current one.
func decode(payload []byte) (invoice, error) {
	var head struct{ V int }
	if err := json.Unmarshal(payload, &head); err != nil {
		return invoice{}, err
	}
	var in invoice
	var err error
	switch {
	case head.V > current:
		return in, fmt.Errorf("%w: %d, and this program knows %d", errNewer, head.V, current)
	case head.V == current:
		err = strict(payload, &in)
	case head.V == 0: // before there were versions
		var old invoice1
		err = strict(payload, &old)
		in = invoice{V: current, Customer: old.Customer, Cents: 100 * old.Euros, Currency: "EUR"}
	default:
		err = fmt.Errorf("version %d was never written", head.V)
	}
	if err == nil && (in.Customer == "" || in.Currency == "") {
		err = errors.New("customer and currency are required")
	}
	return in, err
}

// strict decodes one value, all of whose fields are known. A typing error in a
// field's name is noticed then, and not taken for a zero.
func strict(payload []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(payload))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}
