package store

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
)

// largeLayer makes pending what takes several transactions of Badger: new records, other
// contents of old ones, and records that are gone.
func largeLayer(t *testing.T, s *Store, round int) {
	t.Helper()
	for n := range MaxBytes / 120_000 {
		change(t, s, func(tx *Tx) error {
			text := bytes.Repeat([]byte{byte(round), byte(n)}, 100_000)
			return errors.Join(
				tx.PutPayload("old", fmt.Sprint(n), text),
				tx.PutPayload(fmt.Sprintf("new%d", round), fmt.Sprint(n), text),
				tx.DeletePayload(fmt.Sprintf("new%d", round-1), fmt.Sprint(n)),
			)
		})
	}
}

// parts is a store whose steps within a large layer a test sees.
func parts(t *testing.T, dir string, step func(n int) error) *Store {
	t.Helper()
	n := 0
	o := Options{Dir: dir, Guard: noReserve(t, dir), NoCompaction: true}
	o.failpoint = func(name string) error {
		if name != "part" {
			return nil
		}
		n++
		return step(n)
	}
	return open(t, o)
}

// TestRedoKilled: who is killed between two parts of a large layer finds the state that it
// was on its way to, again and again.
func TestRedoKilled(t *testing.T) {
	dir := fastDir(t)
	var images []image
	seeing := false
	s := parts(t, dir, func(int) error {
		if seeing {
			images = append(images, takeImage(t, dir))
		}
		return nil
	})
	largeLayer(t, s, 1)
	flush(t, s)
	largeLayer(t, s, 2)
	seeing = true
	flush(t, s)
	want := dump(t, s)
	if len(images) < 4 {
		t.Fatalf("only %d parts", len(images))
	}
	for i, im := range images {
		killed := fastDir(t)
		im.write(t, killed)
		// The next one does not come to the end of it.
		stopped := errors.New("stopped")
		o := Options{Dir: killed, Guard: noReserve(t, killed), NoCompaction: true}
		n := 0
		o.failpoint = func(string) error {
			if n++; n == 3 {
				return stopped
			}
			return nil
		}
		if s, err := Open(o); !errors.Is(err, stopped) {
			t.Fatalf("opened %v: %v", s, err)
		}
		o.failpoint = nil
		k := open(t, o)
		if dump(t, k) != want {
			t.Fatalf("killed before part %d: another state", i+1)
		}
		if err := k.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		closeStore(t, k)
	}
}

// TestRedoFailed: a flush that fails between two parts ends the store; the next start
// writes the rest.
func TestRedoFailed(t *testing.T) {
	dir := fastDir(t)
	s := parts(t, dir, func(n int) error {
		if n == 2 {
			return errors.New("the disk is gone")
		}
		return nil
	})
	largeLayer(t, s, 1)
	want := dump(t, s)
	if err := s.Flush(); !errors.Is(err, ErrFailed) {
		t.Fatal(err)
	}
	if dump(t, s) != want {
		t.Error("a part is read")
	}
	closeStore(t, s)
	s = open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
	if dump(t, s) != want {
		t.Error("the next start has another state")
	}
}

// fullAtPart is a store on a disk that is full before the third part of a large layer.
func fullAtPart(t *testing.T, dir string) (*Store, *disk) {
	t.Helper()
	d := newDisk(1 << 30)
	n := 0
	o := Options{Dir: dir, Guard: guardOn(t, dir, d), NoCompaction: true}
	o.failpoint = func(string) error {
		if n++; n == 3 {
			d.free.Store(1 << 20)
		}
		return nil
	}
	return open(t, o), d
}

// TestRedoFullDisk: a disk that is full between two parts holds a flush up. What was
// committed is read, and is written when there is room; a kill meanwhile loses nothing
// of it.
func TestRedoFullDisk(t *testing.T) {
	dir := fastDir(t)
	s, d := fullAtPart(t, dir)
	largeLayer(t, s, 1)
	for range 2 {
		if err := s.Flush(); !errors.Is(err, ErrDiskFull) {
			t.Fatalf("a flush to a full disk: %v", err)
		}
	}
	want := dump(t, s)
	im := takeImage(t, dir)
	d.free.Store(1 << 30)
	largeLayer(t, s, 2) // above what has been written in part
	more := dump(t, s)
	flush(t, s)
	if dump(t, s) != more || s.gen.torn != nil {
		t.Error("another state after the flush")
	}
	closeStore(t, s)
	for name, c := range map[string]struct {
		im   image
		want string
	}{"killed": {im, want}, "closed": {takeImage(t, dir), more}} {
		there := fastDir(t)
		c.im.write(t, there)
		s := open(t, Options{Dir: there, Guard: noReserve(t, there)})
		if dump(t, s) != c.want {
			t.Errorf("%s: another state", name)
		}
		closeStore(t, s)
	}
}

// TestRedoLastFlush: a large layer is written by Close with less room than a flush needs, as
// a small one is; a flush that is refused leaves nothing on the disk.
func TestRedoLastFlush(t *testing.T) {
	dir := fastDir(t)
	d := newDisk(1 << 30)
	o := Options{Dir: dir, Guard: guardOn(t, dir, d), NoCompaction: true}
	s := open(t, o)
	largeLayer(t, s, 1)
	want := dump(t, s)
	d.free.Store(roomyFloor - 1<<20)
	if err := s.Flush(); !errors.Is(err, ErrDiskFull) {
		t.Fatalf("a flush below the floor: %v", err)
	}
	if n := len(mustRead(t, redoPath(s.gen.dir))); n > 0 {
		t.Errorf("a flush that was refused has left %d bytes", n)
	}
	closeStore(t, s)
	d.free.Store(1 << 30)
	if s = open(t, o); dump(t, s) != want || s.Unclean() {
		t.Error("another state after a close below the floor")
	}
}

// TestRedoLogID: the name that a store was given while a flush was held up outlives a kill.
func TestRedoLogID(t *testing.T) {
	dir := fastDir(t)
	s, d := fullAtPart(t, dir)
	largeLayer(t, s, 1)
	if err := s.Flush(); !errors.Is(err, ErrDiskFull) {
		t.Fatal(err)
	}
	d.free.Store(1 << 30)
	if err := s.SetLogID("mine"); err != nil {
		t.Fatal(err)
	}
	killed := fastDir(t)
	takeImage(t, dir).write(t, killed)
	closeStore(t, s)
	for _, dir := range []string{killed, dir} {
		s := open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
		if s.LogID() != "mine" {
			t.Errorf("the log ID is %q", s.LogID())
		}
		closeStore(t, s)
	}
}

// TestRedoDamaged: half of a layer whose file is not what it should be is no state.
func TestRedoDamaged(t *testing.T) {
	dir := fastDir(t)
	var killed image
	s := parts(t, dir, func(n int) error {
		if n == 3 {
			killed = takeImage(t, dir)
		}
		return nil
	})
	largeLayer(t, s, 1)
	flush(t, s)
	closeStore(t, s)
	var path string
	for name := range killed {
		if strings.HasSuffix(name, nameRedo) {
			path = name
		}
	}
	of := func(version uint32) []byte {
		var b bytes.Buffer
		if err := encodeRedo(&b, newLayer(nil, &Applied{Index: 1}), &Format{Version: version}); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	for name, c := range map[string]struct {
		harm func(b []byte) []byte
		want error
	}{
		"missing":      {func([]byte) []byte { return nil }, ErrCorrupt},
		"empty":        {func([]byte) []byte { return []byte{} }, ErrCorrupt},
		"cut":          {func(b []byte) []byte { return b[:len(b)/2] }, ErrCorrupt},
		"without end":  {func(b []byte) []byte { return b[:len(b)-1] }, ErrCorrupt},
		"one bit":      {func(b []byte) []byte { b[len(b)/3] ^= 4; return b }, ErrCorrupt},
		"longer":       {func(b []byte) []byte { return append(b, 7) }, ErrCorrupt},
		"of another":   {func([]byte) []byte { return of(1) }, ErrCorrupt},
		"a newer one":  {func([]byte) []byte { return of(newestFormat + 1) }, ErrFormat},
		"as it should": {func(b []byte) []byte { return b }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			there := fastDir(t)
			killed.write(t, there)
			file := filepath.Join(there, path)
			if b := c.harm(mustRead(t, file)); b == nil {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			} else if err := os.WriteFile(file, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := Open(Options{Dir: there, Guard: noReserve(t, there)})
			if err == nil {
				closeStore(t, s)
			}
			if !errors.Is(err, c.want) {
				t.Errorf("opened: %v", err)
			}
		})
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRedoOfNewerFormat: what a newer build has to mend is refused as it is.
func TestRedoOfNewerFormat(t *testing.T) {
	dir := fastDir(t)
	var killed image
	s := parts(t, dir, func(n int) error {
		if n == 3 {
			killed = takeImage(t, dir)
		}
		return nil
	})
	largeLayer(t, s, 1)
	flush(t, s)
	gen := s.gen.name
	closeStore(t, s)
	there := fastDir(t)
	killed.write(t, there)
	g, err := openGeneration(gen, layoutOf(there).gen(gen), Options{Dir: there, NoCompaction: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := writeMeta(g.db, &Format{Version: newestFormat + 1}, nil); err != nil {
		t.Fatal(err)
	}
	if err := g.close(); err != nil {
		t.Fatal(err)
	}
	before := mustRead(t, redoPath(g.dir))
	if s, err := Open(Options{Dir: there, Guard: noReserve(t, there)}); !errors.Is(err, ErrFormat) {
		t.Fatalf("opened %v: %v", s, err)
	}
	if !bytes.Equal(mustRead(t, redoPath(g.dir)), before) || len(before) == 0 {
		t.Error("what a newer build needs is gone")
	}
}

// TestRedoGone: a clean stop leaves nothing to be hashed at every start.
func TestRedoGone(t *testing.T) {
	dir := fastDir(t)
	s := open(t, Options{Dir: dir, Guard: noReserve(t, dir)})
	largeLayer(t, s, 1)
	flush(t, s)
	if len(mustRead(t, redoPath(s.gen.dir))) == 0 {
		t.Fatal("there was nothing: this shows nothing")
	}
	gen := s.gen.dir
	closeStore(t, s)
	if n := len(mustRead(t, redoPath(gen))); n > 0 {
		t.Errorf("%d bytes are there", n)
	}
}

func goldenLayer() (*layer, *Format) {
	return newLayer([]delta{
		{key: []byte("due/a"), value: []byte{1, 2}},
		{key: []byte("due/b"), had: true},
		{key: []byte("jobs/c"), value: []byte{}},
		{key: []byte("jobs/d"), value: bytes.Repeat([]byte("d"), 300_000)},
	}, &Applied{Index: 7, Term: 2, LogTime: 77, Sequence: 88, Records: 3, Digest: 99, Level: 2}), &Format{Version: 2, LogId: "golden"}
}

func sameLayer(a, b *layer) bool {
	return proto.Equal(a.applied, b.applied) && slices.EqualFunc(a.changes, b.changes, func(a, b delta) bool {
		return bytes.Equal(a.key, b.key) && bytes.Equal(a.value, b.value) && (a.value == nil) == (b.value == nil)
	})
}

// TestGoldenRedo: a file that an earlier build has left is read. The compressor may come to
// choose other bytes, so only reading is compared.
func TestGoldenRedo(t *testing.T) {
	want, format := goldenLayer()
	path := filepath.Join("testdata", "redo-1.golden")
	if *update {
		var b bytes.Buffer
		if err := encodeRedo(&b, want, format); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, as, err := decodeRedo(bytes.NewReader(mustRead(t, path)))
	if err != nil || !sameLayer(got, want) || !proto.Equal(as, format) {
		t.Errorf("the golden file holds %v of %v: %v", got, as, err)
	}
}

// FuzzRedo: whatever the file, it is refused, or is what was written of what it holds.
func FuzzRedo(f *testing.F) {
	var b bytes.Buffer
	l, format := goldenLayer()
	l.changes = l.changes[:3]
	if err := encodeRedo(&b, l, format); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:b.Len()/2])
	f.Add([]byte(redoMagic))
	f.Fuzz(func(t *testing.T, file []byte) {
		l, format, err := decodeRedo(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
			return
		}
		var b bytes.Buffer
		if err := encodeRedo(&b, l, format); err != nil {
			t.Fatal(err)
		}
		again, as, err := decodeRedo(&b)
		if err != nil || !sameLayer(l, again) || !proto.Equal(as, format) {
			t.Fatalf("%v of %v became %v of %v: %v", l, format, again, as, err)
		}
	})
}

// FuzzChange: a change is taken apart without panic, and put together again.
func FuzzChange(f *testing.F) {
	for _, c := range []delta{{key: []byte("k")}, {key: []byte("k"), value: []byte{}}, {key: []byte("k"), value: []byte("value")}} {
		f.Add(appendChange(nil, &c))
	}
	f.Add([]byte{1, 'k', 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, from []byte) {
		c, rest, ok := cutChange(from)
		if !ok {
			return
		}
		again, none, ok := cutChange(appendChange(nil, &c))
		if !ok || len(none) > 0 || len(rest) > len(from) || !bytes.Equal(c.key, again.key) || !bytes.Equal(c.value, again.value) || (c.value == nil) != (again.value == nil) {
			t.Fatalf("%v became %v", c, again)
		}
	})
}
