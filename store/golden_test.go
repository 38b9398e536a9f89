package store

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// goldenValue derives a field's value from its name, so that a field which
// gets another number, or a number which gets another meaning, is noticed.
func goldenValue(f protoreflect.FieldDescriptor, depth int) protoreflect.Value {
	h := fnv.New32a()
	_, _ = h.Write([]byte(f.Name()))
	n := int64(h.Sum32()%100_000) + 1
	switch f.Kind() {
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(true)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(values.Len() - 1).Number())
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(n))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(-n << 20)
	case protoreflect.Uint32Kind:
		return protoreflect.ValueOfUint32(uint32(n))
	case protoreflect.Uint64Kind:
		return protoreflect.ValueOfUint64(uint64(n) << 30)
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(float64(n) / 7)
	case protoreflect.StringKind:
		return protoreflect.ValueOfString("s-" + string(f.Name()))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte("b-" + f.Name()))
	case protoreflect.MessageKind:
		t, err := protoregistry.GlobalTypes.FindMessageByName(f.Message().FullName())
		if err != nil {
			panic(err)
		}
		m := t.New()
		goldenFill(m, depth+1)
		return protoreflect.ValueOfMessage(m)
	}
	panic(fmt.Sprintf("%s: no golden value for a %s", f.FullName(), f.Kind()))
}

// goldenFill sets every field; repeated ones get two equal elements.
func goldenFill(m protoreflect.Message, depth int) {
	if depth > 8 {
		panic("a message within itself")
	}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		if f.IsMap() {
			panic(fmt.Sprintf("%s is a map: maps have no order", f.FullName()))
		}
		if !f.IsList() {
			m.Set(f, goldenValue(f, depth))
			continue
		}
		list := m.Mutable(f).List()
		for range 2 {
			list.Append(goldenValue(f, depth))
		}
	}
}

// goldenCheck compares what an old golden holds with what its fields' names
// say, and refuses bytes that no field of today reads.
func goldenCheck(m protoreflect.Message) error {
	if len(m.GetUnknown()) > 0 {
		return fmt.Errorf("%s: a field is gone", m.Descriptor().Name())
	}
	var err error
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		values := []protoreflect.Value{v}
		if f.IsList() {
			values = values[:0]
			for i := range v.List().Len() {
				values = append(values, v.List().Get(i))
			}
		}
		for _, v := range values {
			if f.Kind() == protoreflect.MessageKind {
				err = errors.Join(err, goldenCheck(v.Message()))
			} else if f.Kind() != protoreflect.EnumKind && !v.Equal(goldenValue(f, 0)) {
				err = errors.Join(err, fmt.Errorf("%s has another meaning: %v", f.FullName(), v))
			}
		}
		return true
	})
	return err
}

// TestGoldenRecords: each message has a file with one line per shape it ever
// had, the newest last. A new field is a new line (-update); old lines stay,
// must decode, and must encode to themselves.
func TestGoldenRecords(t *testing.T) {
	messages := File_store_record_proto.Messages()
	for i := range messages.Len() {
		name := messages.Get(i).Name()
		t.Run(string(name), func(t *testing.T) {
			typ, err := protoregistry.GlobalTypes.FindMessageByName(messages.Get(i).FullName())
			if err != nil {
				t.Fatal(err)
			}
			now := typ.New()
			goldenFill(now, 0)
			key := []byte("golden/" + name)
			value, err := seal(key, now.Interface().(Message))
			if err != nil {
				t.Fatal(err)
			}
			lines := goldenLines(t, filepath.Join("testdata", "records", string(name)+".golden"), hex.EncodeToString(value))
			for _, line := range lines {
				old, err := hex.DecodeString(line)
				if err != nil {
					t.Fatal(err)
				}
				payload, err := unseal(key, old)
				if err != nil {
					t.Fatal(err)
				}
				m := typ.New()
				if err := decode(key, payload, m.Interface().(Message)); err != nil {
					t.Fatal(err)
				}
				if err := goldenCheck(m); err != nil {
					t.Fatal(err)
				}
				if again, err := seal(key, m.Interface().(Message)); err != nil || !bytes.Equal(again, old) {
					t.Fatalf("an old record is encoded in another way: %v", err)
				}
			}
		})
	}
}

// goldenLines reads a golden file, whose last line must be want; -update
// appends it.
func goldenLines(t *testing.T, path, want string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil && !*update {
		t.Fatal(err)
	}
	lines := strings.Fields(string(content))
	if len(lines) > 0 && lines[len(lines)-1] == want {
		return lines
	}
	if !*update {
		t.Fatalf("%s does not end with what is written today; a new field needs -update:\n%s", path, want)
	}
	lines = append(lines, want)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return lines
}

// TestGoldenKeys: keys on disk keep their form.
func TestGoldenKeys(t *testing.T) {
	const at = int64(1_767_225_600_000_000_000)
	keys := map[string][]byte{
		"job":           jobKey("a.job"),
		"schedule":      scheduleKey("a.job"),
		"lock":          lockKey("a.job"),
		"node":          nodeKey("node-1"),
		"version":       versionKey("a.job", 258),
		"execution":     executionKey("a.job", ScheduledKey(at, 37)),
		"active":        activeKey("a.job", ExecutionKey(at, Origin_ORIGIN_TRIGGER, "x")),
		"trigger":       triggerKey("a.job", "once"),
		"result":        resultKey(1 << 40),
		"due":           dueKey(at, DueReady, "a.job", "exec"),
		"due-negative":  dueKey(-1, DueTick, "a.job", ""),
		"waiting":       waitingKey(WaitingEntry{Class: "c", Rank: -5, Job: "a.job", Exec: "exec"}),
		"backfill":      []byte(ExecutionKey(at, Origin_ORIGIN_BACKFILL, "b1")),
		"floor":         []byte(KeyFloor(at)),
		"id":            []byte(JoinID("a.job", "exec")),
		"meta-applied":  keyApplied,
		"meta-format":   keyFormat,
		"state-pointer": pointer("gen-000001"),
	}
	path := filepath.Join("testdata", "keys.golden")
	if *update {
		var b strings.Builder
		for _, name := range sorted(keys) {
			fmt.Fprintf(&b, "%s %x\n", name, keys[name])
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := 0
	for lines := bufio.NewScanner(f); lines.Scan(); seen++ {
		name, want, _ := strings.Cut(lines.Text(), " ")
		if got := fmt.Sprintf("%x", keys[name]); got != want {
			t.Errorf("key %s is %s, was %s", name, got, want)
		}
	}
	if seen != len(keys) {
		t.Errorf("%d keys in the golden file, %d here", seen, len(keys))
	}
}

// TestGoldenSnapshot: a stream that was written once can be read for ever. The
// compressor may come to choose other bytes, so only reading is compared.
func TestGoldenSnapshot(t *testing.T) {
	s := open(t, Options{InMemory: true})
	if err := s.SetLogID("golden"); err != nil {
		t.Fatal(err)
	}
	jobs(t, s, 0, 20)
	change(t, s, func(tx *Tx) error {
		tx.Applied().LogTime, tx.Applied().Sequence = 77, 88
		return errors.Join(tx.PutDue(DueEntry{At: 5, Kind: DueTick, Job: "job-000001"}), tx.DeleteJob("job-000002"))
	})
	path := filepath.Join("testdata", "snapshot-1.golden")
	if *update {
		if err := os.WriteFile(path, snapshotOf(t, s), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	stream, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	to := open(t, Options{InMemory: true})
	if err := to.Restore(bytes.NewReader(stream)); err != nil {
		t.Fatal(err)
	}
	if dump(t, to) != dump(t, s) || to.LogID() != "golden" || !proto.Equal(to.Applied(), s.Applied()) {
		t.Fatal("the golden snapshot restores to another state")
	}
}
