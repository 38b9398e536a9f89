package raftfsm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// A cluster that has lost its majority is recovered by a person's decision: a
// file in the directory of each survivor says who the members are from now on.
const (
	peersName    = "peers.json"
	peersApplied = "peers.json.applied"
	peersLimit   = 1 << 20
)

// PeersError says why a peers file was not followed. Nothing was changed.
type PeersError struct {
	Path   string
	Reason string
}

func (e *PeersError) Error() string { return "raftfsm: " + e.Path + ": " + e.Reason }

// readPeers reads the peers file, if there is one.
func (r *recovery) readPeers() error {
	path := filepath.Join(r.cfg.Dir, peersName)
	list, err := readPeersFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = r.checkPeers(list)
	}
	if err != nil {
		return &PeersError{Path: path, Reason: err.Error()}
	}
	r.peers = list
	return nil
}

func readPeersFile(path string) (survivors, error) {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("is not a regular file")
	case info.Mode().Perm()&0o022 != 0 && runtime.GOOS != "windows": // which has no such bits
		return nil, fmt.Errorf("others than its owner may write it (%v): chmod 600", info.Mode().Perm())
	case info.Size() > peersLimit:
		return nil, fmt.Errorf("has %d bytes of at most %d", info.Size(), peersLimit)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %v", err)
	}
	return decodePeers(content)
}

func decodePeers(content []byte) (survivors, error) {
	dec := json.NewDecoder(bytes.NewReader(content))
	dec.DisallowUnknownFields()
	var list survivors
	if err := dec.Decode(&list); err != nil {
		return nil, fmt.Errorf(`is not a JSON list of {"node": …, "addr": …, "worker": …}: %v`, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("has something behind the list")
	}
	return list, nil
}

// checkPeers refuses what cannot be meant.
func (r *recovery) checkPeers(list survivors) error {
	if r.cfg.Cluster == nil {
		return errors.New("is for a node of a cluster: set Options.Cluster, or move the file away")
	}
	if r.evidence.logAbsent {
		return errors.New("this directory holds no state: the file is for nodes that survived; others join with an empty directory, without it")
	}
	seen, voters := map[string]bool{}, 0
	for _, m := range list {
		switch {
		case !validName(m.Node):
			return fmt.Errorf("%q is no name of a node", m.Node)
		case seen[m.Node]:
			return fmt.Errorf("node %q is listed twice", m.Node)
		case m.Addr == "" || len(m.Addr) > 255:
			return fmt.Errorf("the address of node %q has %d bytes; 1 to 255 are allowed", m.Node, len(m.Addr))
		case m.Node == r.nodeID && m.Worker != r.cfg.Cluster.Worker:
			return fmt.Errorf("worker is %t for node %q, Options.Cluster.Worker is %t: they have to agree", m.Worker, m.Node, r.cfg.Cluster.Worker)
		}
		seen[m.Node] = true
		if !m.Worker {
			voters++
		}
	}
	switch {
	case !seen[r.nodeID]:
		return fmt.Errorf("does not list this node, %q: it is not to take part; move the file away, and do not start this directory again", r.nodeID)
	case voters == 0:
		return errors.New("lists nobody who votes")
	}
	return nil
}

// validName tells if a text can be a node's name, as the host's own check has it.
func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '_' && c != '-' && c != '/') {
			return false
		}
	}
	return name != "" && len(name) <= 128
}

// putAway gives the file that took effect another name. Until then a start finds
// that its list is in force already, and changes nothing.
func (r *recovery) putAway() error {
	if r.peers == nil {
		return nil
	}
	path := filepath.Join(r.cfg.Dir, peersName)
	if err := os.Rename(path, filepath.Join(r.cfg.Dir, peersApplied)); err != nil {
		return fmt.Errorf("raftfsm: %s is in force, and has to be renamed: %w", path, err)
	}
	return errors.Join(r.at("renamed"), syncDir(r.cfg.Dir))
}
