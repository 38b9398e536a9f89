package raftfsm

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

// FuzzWire: what another node sends is read within bounds, or refused.
func FuzzWire(f *testing.F) {
	body, err := appendCommand(nil, barrier())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wireFrame{7, askCommands, body}.encode())
	results, err := encodeResults([]*Result{{Index: 3, Text: "x"}, {}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(wireFrame{7, saidDone, results}.encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readFrame(bytes.NewReader(data))
		if err != nil {
			return
		}
		if again := got.encode(); !bytes.Equal(again, data[:len(again)]) {
			t.Fatalf("%x came back as %x", data, again)
		}
		if r, err := decodeCommands(got.body, Level); err == nil && (r.n == 0 || len(r.body) > entryBytes) {
			t.Fatalf("accepted %d commands of %d bytes", r.n, len(r.body))
		}
		if results, index, err := decodeResults(got.body); err == nil {
			for _, res := range results {
				if res.Index > index {
					t.Fatal("an index is lost")
				}
			}
		}
	})
}

func TestWireRefuses(t *testing.T) {
	if _, err := readFrame(strings.NewReader("\x7f\xff\xff\xff" + strings.Repeat("x", 100))); !errors.Is(err, errWire) {
		t.Errorf("a frame of 2 GB: %v", err)
	}
	if _, err := readFrame(strings.NewReader("\x00\x00\x00\x01" + strings.Repeat("x", 100))); !errors.Is(err, errWire) {
		t.Errorf("a frame shorter than its head: %v", err)
	}
	for name, body := range map[string]string{
		"empty": "", "no body": "\x0a\x00", "unknown field": "\x0a\x04\xa2\x01\x01x", "not protobuf": "\xff\xff\xff",
	} {
		if r, err := decodeCommands([]byte(body), Level); err == nil {
			t.Errorf("%s: accepted %d commands", name, r.n)
		}
	}
	raise, err := appendCommand(nil, &Command{Body: &Command_Raise{Raise: &Raise{Level: Level + 1}}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeCommands(raise, Level); !errors.Is(err, ErrLevel) {
		t.Errorf("a level that would stop every node: %v", err)
	}
	if _, err := decodeCommands(raise, Level+1); err != nil {
		t.Errorf("a level that is known: %v", err)
	}
}
