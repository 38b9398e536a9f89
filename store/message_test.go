package store

import (
	"bytes"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// everyMessage makes an empty one of each record.
func everyMessage(t testing.TB) (all []Message) {
	list := File_store_record_proto.Messages()
	for i := range list.Len() {
		typ, err := protoregistry.GlobalTypes.FindMessageByName(list.Get(i).FullName())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, typ.New().Interface().(Message))
	}
	return all
}

// FuzzMessage: the generated encoding reads and writes what the one of protobuf does, byte for
// byte, for records that somebody may have written.
func FuzzMessage(f *testing.F) {
	all := everyMessage(f)
	for i, m := range all {
		filled := m.ProtoReflect().New()
		goldenFill(filled, 0)
		b, err := proto.Marshal(filled.Interface())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(i, b)
		f.Add(i, append(b, 0xf8, 0x7f, 7)) // with a field that nobody knows
		f.Add(i, b[:len(b)/2])
	}
	f.Fuzz(func(t *testing.T, kind int, b []byte) {
		typ := all[(kind%len(all)+len(all))%len(all)].ProtoReflect()
		want, got := typ.New().Interface(), typ.New().Interface().(Message)
		known, err := proto.Unmarshal(b, want), got.UnmarshalVT(b) // neither panics
		if known != nil || misfit(want.ProtoReflect()) {
			return // not UTF-8, a field of another type, a zero with a sign: nobody writes these
		}
		if err != nil || !proto.Equal(got, want) {
			t.Fatalf("%x is %v, not %v (%v)", b, got, want, err)
		}
		bytesOf, err := proto.MarshalOptions{Deterministic: true}.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := got.MarshalVT(); err != nil || !bytes.Equal(again, bytesOf) || got.SizeVT() != len(bytesOf) {
			t.Fatalf("%v is written as %x, not %x (%v)", got, again, bytesOf, err)
		}
	})
}

// misfit tells if a message, or one that it holds, has a field whose number is known, but not
// with that type, or a zero below zero.
func misfit(m protoreflect.Message) (found bool) {
	for rest := m.GetUnknown(); len(rest) > 0 && !found; {
		num, _, n := protowire.ConsumeField(rest)
		found, rest = m.Descriptor().Fields().ByNumber(num) != nil, rest[n:]
	}
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case f.Kind() == protoreflect.DoubleKind:
			found = found || v.Float() == 0 // which is set
		case f.Message() == nil:
		case f.IsList():
			for i := range v.List().Len() {
				found = found || misfit(v.List().Get(i).Message())
			}
		default:
			found = found || misfit(v.Message())
		}
		return !found
	})
	return found
}
