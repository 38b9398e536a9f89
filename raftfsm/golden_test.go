package raftfsm

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// TestGoldenCommands: a log written by this version can be read by every later
// one. For each command, .hex is a log entry as it was written, with every
// field set that there was, and .txt is what it means. -update writes only what
// is missing: the old bytes stay, and go on meaning the same.
func TestGoldenCommands(t *testing.T) {
	body := (&Command{}).ProtoReflect().Descriptor().Oneofs().ByName("body").Fields()
	for i := range body.Len() {
		field := body.Get(i)
		t.Run(string(field.Name()), func(t *testing.T) {
			base := filepath.Join("testdata", "commands", string(field.Name()))
			if _, err := os.Stat(base + ".hex"); *update && os.IsNotExist(err) {
				writeGolden(t, base, field)
			}
			old, err := hex.DecodeString(strings.TrimSpace(readFile(t, base+".hex")))
			if err != nil {
				t.Fatal(err)
			}
			got, err := decodeBatch(old)
			if err != nil {
				t.Fatalf("an entry of the golden file does not decode: %v", err)
			}
			want := &Batch{}
			if err := prototext.Unmarshal([]byte(readFile(t, base+".txt")), want); err != nil {
				t.Fatal(err)
			}
			if !proto.Equal(got, want) {
				t.Errorf("the golden entry means something else now:\n got %v\nwant %v", got, want)
			}
		})
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatalf("%v (a new command? go test -run TestGoldenCommands -update)", err)
	}
	return string(data)
}

func writeGolden(t *testing.T, base string, field protoreflect.FieldDescriptor) {
	t.Helper()
	batch := &Batch{Commands: []*Command{{}}}
	populate(batch.Commands[0].ProtoReflect(), field)
	data, err := encodeBatch(batch)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{".hex": hex.EncodeToString(data) + "\n", ".txt": prototext.Format(batch)} {
		if err := os.WriteFile(base+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// populate sets every field of a message, of the oneof only the one field.
func populate(m protoreflect.Message, only protoreflect.FieldDescriptor) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.ContainingOneof() != nil && f != only:
		case f.IsList():
			list := m.Mutable(f).List()
			if f.Kind() == protoreflect.MessageKind {
				populate(list.AppendMutable().Message(), nil)
			} else {
				list.Append(sample(f))
			}
		case f.Kind() == protoreflect.MessageKind:
			populate(m.Mutable(f).Message(), nil)
		default:
			m.Set(f, sample(f))
		}
	}
}

// sample is a value that differs from field to field.
func sample(f protoreflect.FieldDescriptor) protoreflect.Value {
	n := int64(f.Number()) + 1_000
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(f.Enum().Values().Get(f.Enum().Values().Len() - 1).Number())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(n)
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n) / 8)
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(f.Name()))
	default:
		return protoreflect.ValueOfString(string(f.Name()))
	}
}
