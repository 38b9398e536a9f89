package raftfsm

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"
	"google.golang.org/protobuf/proto"
)

// goldenCommands are the commands of the golden files, in one order.
func goldenCommands(t testing.TB) (out []*Command) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "commands", "*.hex"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden commands: %v", err)
	}
	slices.Sort(files)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		data, err := hex.DecodeString(strings.Join(strings.Fields(string(text)), ""))
		if err != nil {
			t.Fatal(err)
		}
		b, err := decodeBatch(data)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.Commands...)
	}
	return out
}

// FuzzApply: whatever passes for commands, and another node with a certificate may
// send anything, is applied or refused. It neither panics nor stops the node: an
// entry that did would stop all of them, at every start.
func FuzzApply(f *testing.F) {
	for _, c := range goldenCommands(f) {
		body, err := proto.Marshal(&Batch{Commands: []*Command{c}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if len(body) > 4096 {
			return
		}
		if _, err := decodeCommands(body, Level); err != nil {
			return
		}
		b := &Batch{}
		if err := proto.Unmarshal(body, b); err != nil {
			t.Fatal(err)
		}
		s := newScenario(t, 7)
		for range 30 { // some jobs, nodes and attempts that the commands may be about
			s.step()
		}
		data := sealEntry(body) // as it came
		if read, err := decodeBatch(data); err != nil || !proto.Equal(read, b) {
			t.Fatalf("%x is read as %v, not as %v (%v)", body, read, b, err)
		}
		res := s.f.ApplyBatch([]*raft.Log{{Index: uint64(len(s.logs) + 1), Term: 1, Type: raft.LogCommand, Data: data}})[0].(*entryResult)
		if res.err != nil {
			t.Fatalf("%v: %v", b, res.err)
		}
		for range 10 { // and it has to go on
			s.logs = append(s.logs, nil)
			s.step()
		}
	})
}

// FuzzPeers: a list of members is refused, or is the one that was written.
func FuzzPeers(f *testing.F) {
	f.Add([]byte(`[{"node":"a","addr":"h:1"},{"node":"b","addr":"h:2","worker":true}]`))
	f.Add([]byte(`[{"node":"a","addr":"h:1"}] []`))
	f.Add([]byte(`[{"node":"a","Addr":"h:1","extra":1}]`))
	f.Add([]byte(`null`))
	f.Add([]byte(strings.Repeat("[", 100)))
	f.Fuzz(func(t *testing.T, content []byte) {
		list, err := decodePeers(content)
		if err != nil {
			return
		}
		again, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := decodePeers(again); err != nil || !slices.Equal(back, list) {
			t.Fatalf("%+v came back as %+v, %v", list, back, err)
		}
		r := &recovery{cfg: &Config{Cluster: &Cluster{}}, nodeID: "a", evidence: evidence{}}
		if r.checkPeers(list) == nil && (len(list) == 0 || !slices.ContainsFunc(list, func(m survivor) bool { return m.Node == "a" })) {
			t.Fatalf("%+v was accepted on a", list)
		}
	})
}

// FuzzSnapshotHeader: the head of a snapshot is refused, or says what meta says.
func FuzzSnapshotHeader(f *testing.F) {
	meta := &raft.SnapshotMeta{Version: 1, Index: 7, Term: 3}
	f.Add(newHeader("log", meta).encode(), uint64(7), uint64(3))
	f.Add(newHeader("", meta).encode(), uint64(8), uint64(3))
	f.Add([]byte(snapshotMagic+"\xff\xff\xff\xff"), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, data []byte, index, term uint64) {
		r := bytes.NewReader(data)
		h, size, err := readHeader(r, &raft.SnapshotMeta{Version: 1, Index: index, Term: term})
		if err == nil && (size != len(data)-r.Len() || !bytes.Equal(h.encode(), data[:size])) {
			t.Fatalf("read %d bytes, %q", size, h.logID)
		}
	})
}

// FuzzLogFile: a log's file with a patch somewhere is refused or read, without
// panic and without end.
func FuzzLogFile(f *testing.F) {
	path := filepath.Join(f.TempDir(), "raft.db")
	whole := writtenLog(f, path)
	f.Add(uint32(0), []byte{}, uint16(0))
	f.Add(uint32(4096), []byte{0xff}, uint16(0))
	f.Add(uint32(16), []byte("\x00\x00\x00\x00"), uint16(9000))
	f.Add(uint32(3*4096+8), []byte{0x02, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, uint16(0))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, cut uint16) {
		content := bytes.Clone(whole)
		copy(content[int(at)%len(content):], patch)
		content = content[:len(content)-min(len(content), int(cut))]
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		entries := 0
		if readBoltFile(path, func(_, _ []byte) { entries++ }) == nil && entries > len(content)/16 {
			t.Fatalf("%d entries in %d bytes", entries, len(content))
		}
	})
}

// writtenLog makes a log's file with a few entries, and answers its content.
func writtenLog(t testing.TB, path string) []byte {
	t.Helper()
	b, err := openBolt(path, true)
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(40) {
		err := b.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: bytes.Repeat([]byte{byte(i)}, 200)})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Set([]byte(keyNodeID), []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(content, "\x00"))
	content = content[:(used+4095)/4096*4096] // Bolt makes the file larger ahead of time
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := checkBoltFile(path); err != nil {
		t.Fatal(err)
	}
	return content
}
