package raftfsm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/raft"
)

// Two snapshots are kept: were the newer one damaged, the older one and the
// log, which is kept as far back, still make the whole state.
const snapshotsKept = 2

const (
	snapshotMagic   = "CHRSNAP1"
	snapshotDir     = "snapshots"
	snapshotTemp    = ".tmp"
	snapshotContent = "state.bin"
)

// snapshotStore is Raft's file snapshot store with a header in front of each
// snapshot's content. Raft keeps index and term in a JSON file without a
// checksum, and a flipped digit there would make it skip entries in silence;
// the header says the same under a checksum, and a snapshot whose two
// statements differ is not listed. It also says which log the snapshot is of.
type snapshotStore struct {
	files *raft.FileSnapshotStore
	dir   string
	log   *slog.Logger
	logID string // of the log whose snapshots these are; "" while it is unknown
	taken func() // called when a snapshot is complete
}

func openSnapshots(dir string, log *slog.Logger) (*snapshotStore, error) {
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, raftLogger(log))
	if err != nil {
		return nil, err
	}
	s := &snapshotStore{files: files, dir: filepath.Join(dir, snapshotDir), log: log, taken: func() {}}
	// Snapshots hold secrets of webhooks, and Raft lets everybody read them.
	if err := os.Chmod(s.dir, 0o700); err != nil {
		return nil, err
	}
	return s, errors.Join(s.sweep(), syncDir(dir))
}

// sweep removes what a kill left half-written. Raft never does.
func (s *snapshotStore) sweep() error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), snapshotTemp) {
			if err := os.RemoveAll(filepath.Join(s.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// Create implements raft.SnapshotStore.
func (s *snapshotStore) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration,
	ci uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := s.files.Create(v, index, term, c, ci, t)
	if err != nil {
		return nil, errors.Join(err, s.sweep())
	}
	h := newHeader(s.logID, &raft.SnapshotMeta{Version: v, Index: index, Term: term, Configuration: c, ConfigurationIndex: ci})
	if _, err := sink.Write(h.encode()); err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	return &snapshotSink{SnapshotSink: sink, dir: filepath.Join(s.dir, sink.ID()), taken: s.taken}, nil
}

type snapshotSink struct {
	raft.SnapshotSink
	dir   string // where the snapshot will be; "" in memory
	taken func()
}

// Close implements raft.SnapshotSink. Raft syncs the files and the directory
// above, but not the one between; the log is shortened after this.
func (s *snapshotSink) Close() error {
	err := s.SnapshotSink.Close()
	if err == nil && s.dir != "" {
		err = syncDir(s.dir)
	}
	if err != nil {
		return err
	}
	s.taken()
	return nil
}

// List implements raft.SnapshotStore, newest first. It leaves out what does
// not agree with its header, and what belongs to another log.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	all, err := s.files.List()
	if err != nil {
		return nil, err
	}
	var good []*raft.SnapshotMeta
	for _, m := range all {
		of, err := s.owner(m)
		if err == nil && s.logID != "" && of != s.logID {
			err = fmt.Errorf("belongs to log %q, not %q", of, s.logID)
		}
		if err != nil {
			s.log.Warn("chronos: snapshot cannot be used", "snapshot", m.ID, "error", err)
			continue
		}
		good = append(good, m)
	}
	// One that was written again with the members after a recovery is as new as
	// the one before by all but its name, which is the clock's.
	slices.SortStableFunc(good, func(a, b *raft.SnapshotMeta) int {
		return cmp.Or(cmp.Compare(b.Term, a.Term), cmp.Compare(b.Index, a.Index),
			cmp.Compare(epochOf(b.Configuration).Number(), epochOf(a.Configuration).Number()))
	})
	return good, nil
}

// foreign tells if a snapshot is intact as far as it says that it is of another log.
func (s *snapshotStore) foreign(id string) bool {
	all, err := s.files.List()
	if err != nil || s.logID == "" {
		return false
	}
	for _, m := range all {
		if m.ID == id {
			of, err := s.owner(m)
			return err == nil && of != s.logID
		}
	}
	return false
}

// owner is the ID of the log that a snapshot belongs to.
func (s *snapshotStore) owner(m *raft.SnapshotMeta) (string, error) {
	f, err := os.Open(filepath.Join(s.dir, m.ID, snapshotContent))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h, _, err := readHeader(f, m)
	return h.logID, err
}

// Open implements raft.SnapshotStore. The content is verified as a whole
// before the first byte of it is handed out.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, r, err := s.files.Open(id)
	if err != nil {
		return nil, nil, err
	}
	_, n, err := readHeader(r, meta)
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	rest := *meta
	rest.Size -= int64(n)
	return &rest, content{r, meta.Index}, nil
}

// content is what a snapshot holds of the state as of an entry.
type content struct {
	io.ReadCloser
	index uint64
}

// contentOf finds it in what Raft hands over.
func contentOf(r io.ReadCloser) (c content, ok bool) {
	if w, wraps := r.(raft.ReadCloserWrapper); wraps {
		r = w.WrappedReadCloser()
	}
	c, ok = r.(content)
	return c, ok
}

// verify reads a whole snapshot and says whether it is what was written.
func (s *snapshotStore) verify(id string) error {
	_, r, err := s.Open(id)
	if err != nil {
		return err
	}
	return r.Close()
}

// oldest is the index of the oldest snapshot that is kept, 0 when fewer than
// two are: then the log must not be shortened yet.
func (s *snapshotStore) oldest() uint64 {
	all, err := s.List()
	if err != nil || len(all) < snapshotsKept {
		return 0
	}
	return all[len(all)-1].Index
}

// names lists every snapshot directory, damaged ones too.
func (s *snapshotStore) names() ([]string, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// snapshotHeader is what stands in front of a snapshot's content: whose log it
// belongs to, and what meta.json says, under a checksum.
type snapshotHeader struct {
	logID string
	body  []byte // everything but magic, length and checksum
}

const headerLimit = 1 << 20

func newHeader(logID string, m *raft.SnapshotMeta) snapshotHeader {
	b := []byte{byte(m.Version)}
	b = binary.BigEndian.AppendUint64(b, m.Index)
	b = binary.BigEndian.AppendUint64(b, m.Term)
	b = binary.BigEndian.AppendUint64(b, m.ConfigurationIndex)
	b = append(b, byte(len(logID)))
	b = append(b, logID...)
	return snapshotHeader{logID: logID, body: append(b, raft.EncodeConfiguration(m.Configuration)...)}
}

func (h snapshotHeader) encode() []byte {
	b := []byte(snapshotMagic)
	b = binary.BigEndian.AppendUint32(b, uint32(len(h.body)))
	b = append(b, h.body...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// readHeader reads a header off r and compares it with what meta says.
func readHeader(r io.Reader, meta *raft.SnapshotMeta) (h snapshotHeader, size int, err error) {
	head := make([]byte, len(snapshotMagic)+4)
	if _, err := io.ReadFull(r, head); err != nil {
		return h, 0, fmt.Errorf("snapshot header: %w", err)
	}
	n := binary.BigEndian.Uint32(head[len(snapshotMagic):])
	if string(head[:len(snapshotMagic)]) != snapshotMagic || n > headerLimit {
		return h, 0, errors.New("no snapshot header")
	}
	rest := make([]byte, n+4)
	if _, err := io.ReadFull(r, rest); err != nil {
		return h, 0, fmt.Errorf("snapshot header: %w", err)
	}
	h.body = rest[:n]
	const fixed = 26
	if n < fixed || int(n) < fixed+int(h.body[fixed-1]) || !bytes.Equal(h.encode(), append(head, rest...)) {
		return h, 0, errors.New("snapshot header is damaged")
	}
	h.logID = string(h.body[fixed : fixed+int(h.body[fixed-1])])
	if !bytes.Equal(newHeader(h.logID, meta).body, h.body) {
		return h, 0, errors.New("snapshot header and meta.json differ")
	}
	return h, len(head) + len(rest), nil
}

// memorySnapshots serve a node that keeps nothing: the content goes nowhere,
// and the log in memory is shortened.
type memorySnapshots struct {
	raft.DiscardSnapshotStore
	taken func()
	mu    sync.Mutex
	last  []*raft.SnapshotMeta
}

// Create implements raft.SnapshotStore.
func (m *memorySnapshots) Create(v raft.SnapshotVersion, index, term uint64, c raft.Configuration,
	ci uint64, t raft.Transport) (raft.SnapshotSink, error) {
	sink, err := m.DiscardSnapshotStore.Create(v, index, term, c, ci, t)
	return &snapshotSink{SnapshotSink: sink, taken: func() {
		m.mu.Lock()
		m.last = []*raft.SnapshotMeta{{Version: v, Index: index, Term: term, Configuration: c, ConfigurationIndex: ci}}
		m.mu.Unlock()
		m.taken()
	}}, err
}

// List implements raft.SnapshotStore.
func (m *memorySnapshots) List() ([]*raft.SnapshotMeta, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last, nil
}
