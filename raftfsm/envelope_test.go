package raftfsm

import (
	"bytes"
	"errors"
	"iter"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/chronos-go/chronos/store"
)

func sampleBatch() *Batch {
	return &Batch{Commands: []*Command{
		barrier(),
		{Id: bytes.Repeat([]byte{7}, 16), Now: 42, Actor: "me", Body: &Command_Put{Put: &Put{
			Job: "greet", Definition: &store.Definition{Handler: "greet", Labels: []*store.Label{{Key: "a", Value: "b"}}},
		}}},
		{Body: &Command_Fire{Fire: &Fire{Job: "greet", Runs: []*Run{{Due: 1}, {Due: 2}}}}},
	}}
}

func TestEnvelopeRoundTrip(t *testing.T) {
	want := sampleBatch()
	whole, err := encodeBatch(want)
	if err != nil {
		t.Fatal(err)
	}
	var bodies [][]byte
	for _, c := range want.Commands {
		b, err := appendCommand(nil, c)
		if err != nil {
			t.Fatal(err)
		}
		bodies = append(bodies, b)
	}
	if pieces := sealEntry(bodies...); !bytes.Equal(whole, pieces) {
		t.Errorf("an entry packed from commands differs from the encoded batch")
	}
	got, err := decodeBatch(whole)
	if err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if err := validateBatch(got); err != nil {
		t.Error(err)
	}
}

func TestEnvelopeRefusesDamage(t *testing.T) {
	data, err := encodeBatch(sampleBatch())
	if err != nil {
		t.Fatal(err)
	}
	for bit := range len(data) * 8 {
		bad := bytes.Clone(data)
		bad[bit/8] ^= 1 << (bit % 8)
		if _, err := decodeBatch(bad); err == nil {
			t.Fatalf("bit %d flipped and nobody noticed", bit)
		}
	}
	for n := range data {
		if _, err := decodeBatch(data[:n]); err == nil {
			t.Fatalf("cut to %d bytes and nobody noticed", n)
		}
	}
}

func TestEnvelopeUnknown(t *testing.T) {
	data, _ := encodeBatch(sampleBatch())
	newer := bytes.Clone(data)
	newer[0] = envelopeVersion + 1
	if _, err := decodeBatch(newer); !errors.Is(err, errUnknownVersion) {
		t.Errorf("newer version: %v", err)
	}
	field := protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 1)
	inCommand := &Command{}
	inCommand.ProtoReflect().SetUnknown(field)
	inBody := &Command{Body: &Command_Pause{Pause: &Pause{Job: "x"}}}
	inBody.GetPause().ProtoReflect().SetUnknown(field)
	inBatch := sampleBatch()
	inBatch.ProtoReflect().SetUnknown(field)
	for name, b := range map[string]*Batch{
		"no body":          {Commands: []*Command{{}}},
		"command of later": {Commands: []*Command{inCommand}},
		"field of later":   {Commands: []*Command{inBody}},
		"batch of later":   inBatch,
	} {
		data, err := encodeBatch(b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBatch(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := validateBatch(got); !errors.Is(err, errUnknownCommand) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// An unknown field is found wherever a command can hold a message.
func TestEnvelopeUnknownEverywhere(t *testing.T) {
	places := 0
	for path := range messagePaths((&Command{}).ProtoReflect().Descriptor()) {
		places++
		c := &Command{}
		m := c.ProtoReflect()
		for i, f := range path {
			if i == len(path)-1 && f.IsList() { // behind one that is right
				m.Mutable(f).List().AppendMutable()
			}
			if f.IsList() {
				m = m.Mutable(f).List().AppendMutable().Message()
			} else {
				m = m.Mutable(f).Message()
			}
		}
		if err := validateCommand(c); err != nil {
			t.Fatalf("%v: without one: %v", names(path), err)
		}
		m.SetUnknown(protowire.AppendVarint(protowire.AppendTag(nil, 999, protowire.VarintType), 1))
		data, err := encodeBatch(&Batch{Commands: []*Command{c}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		if err := validateBatch(got); !errors.Is(err, errUnknownCommand) {
			t.Errorf("%v: %v", names(path), err)
		}
	}
	if bodies := commandBody().Fields().Len(); places <= bodies {
		t.Errorf("%d places for %d bodies", places, bodies)
	}
}

// messagePaths are the ways from a message to those within it. None of them comes round
// to itself.
func messagePaths(m protoreflect.MessageDescriptor) iter.Seq[[]protoreflect.FieldDescriptor] {
	return func(yield func([]protoreflect.FieldDescriptor) bool) {
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			if f.Message() == nil {
				continue
			}
			if !yield([]protoreflect.FieldDescriptor{f}) {
				return
			}
			for rest := range messagePaths(f.Message()) {
				if !yield(append([]protoreflect.FieldDescriptor{f}, rest...)) {
					return
				}
			}
		}
	}
}

func names(path []protoreflect.FieldDescriptor) (out []string) {
	for _, f := range path {
		out = append(out, string(f.Name()))
	}
	return out
}

func FuzzDecodeBatch(f *testing.F) {
	data, _ := encodeBatch(sampleBatch())
	f.Add(data, true)
	f.Add([]byte{}, false)
	f.Add([]byte{1, 0, 0, 0, 0}, false)
	f.Add([]byte{2, 0, 0, 0, 0, 1}, false)
	f.Fuzz(func(t *testing.T, data []byte, seal bool) {
		if seal { // get past the checksum
			data = sealEntry(data)
		}
		b, err := decodeBatch(data)
		if err != nil {
			return
		}
		_ = validateBatch(b)
		for _, c := range b.Commands {
			if w := weigh(c, proto.Size(c)); w <= 0 {
				t.Fatalf("weight %d", w)
			}
		}
		again, err := encodeBatch(b)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := decodeBatch(again); err != nil {
			t.Fatal(err)
		}
	})
}
