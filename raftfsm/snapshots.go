package raftfsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

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
// statements differ is not listed.
type snapshotStore struct {
	files *raft.FileSnapshotStore
	dir   string
	log   *slog.Logger
	taken func() // called when a snapshot is complete
}

func openSnapshots(dir string, log *slog.Logger) (*snapshotStore, error) {
	files, err := raft.NewFileSnapshotStoreWithLogger(dir, snapshotsKept, raftLogger(log))
	if err != nil {
		return nil, err
	}
	s := &snapshotStore{files: files, dir: filepath.Join(dir, snapshotDir), log: log, taken: func() {}}
	return s, s.sweep()
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
	if _, err := sink.Write(snapshotHeader(v, index, term, c, ci)); err != nil {
		return nil, errors.Join(err, sink.Cancel())
	}
	return &snapshotSink{SnapshotSink: sink, taken: s.taken}, nil
}

type snapshotSink struct {
	raft.SnapshotSink
	taken func()
}

// Close implements raft.SnapshotSink.
func (s *snapshotSink) Close() error {
	if err := s.SnapshotSink.Close(); err != nil {
		return err
	}
	s.taken()
	return nil
}

// List implements raft.SnapshotStore, newest first. It leaves out what does
// not agree with its header.
func (s *snapshotStore) List() ([]*raft.SnapshotMeta, error) {
	all, err := s.files.List()
	if err != nil {
		return nil, err
	}
	var good []*raft.SnapshotMeta
	for _, m := range all {
		if err := s.checkHeader(m); err != nil {
			s.log.Warn("chronos: snapshot is damaged", "snapshot", m.ID, "error", err)
			continue
		}
		good = append(good, m)
	}
	return good, nil
}

func (s *snapshotStore) checkHeader(m *raft.SnapshotMeta) error {
	f, err := os.Open(filepath.Join(s.dir, m.ID, snapshotContent))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = skipHeader(f, m)
	return err
}

// Open implements raft.SnapshotStore. The content is verified as a whole
// before the first byte of it is handed out.
func (s *snapshotStore) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	meta, r, err := s.files.Open(id)
	if err != nil {
		return nil, nil, err
	}
	n, err := skipHeader(r, meta)
	if err != nil {
		return nil, nil, errors.Join(err, r.Close())
	}
	rest := *meta
	rest.Size -= int64(n)
	return &rest, r, nil
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

func snapshotHeader(v raft.SnapshotVersion, index, term uint64, c raft.Configuration, ci uint64) []byte {
	b := append([]byte(snapshotMagic), byte(v))
	b = binary.BigEndian.AppendUint64(b, index)
	b = binary.BigEndian.AppendUint64(b, term)
	b = binary.BigEndian.AppendUint64(b, ci)
	conf := raft.EncodeConfiguration(c)
	b = binary.BigEndian.AppendUint32(b, uint32(len(conf)))
	b = append(b, conf...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// skipHeader reads the header off r and compares it with what meta says.
func skipHeader(r io.Reader, meta *raft.SnapshotMeta) (int, error) {
	want := snapshotHeader(meta.Version, meta.Index, meta.Term, meta.Configuration, meta.ConfigurationIndex)
	got := make([]byte, len(want))
	if _, err := io.ReadFull(r, got); err != nil {
		return 0, fmt.Errorf("snapshot header: %w", err)
	}
	if !bytes.Equal(got, want) {
		return 0, errors.New("snapshot header and meta.json differ")
	}
	return len(want), nil
}
