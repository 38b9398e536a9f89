package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"
)

// What of a backup goes into another scheduler: jobs and their past. What
// belonged to the nodes and callers of the old one (sessions, locks, answers)
// stays behind, and so does what is unfinished, of which a settled state has
// nothing.

// loadable makes an empty record for a key that may be loaded; nil for others.
func loadable(key []byte) Message {
	name := string(segmentOf(key))
	rest := key[len(name):]
	inJob := bytes.IndexByte(rest, 0) > 0
	switch {
	case name == prefixJobs && len(rest) > 0 && !inJob:
		return &Job{}
	case name == prefixSchedule && len(rest) > 0 && !inJob:
		return &Schedule{}
	case name == prefixVersions && inJob && len(rest)-bytes.IndexByte(rest, 0) == 9:
		return &Version{}
	case name == prefixExecutions && inJob:
		return &Execution{}
	case name == prefixTriggers && inJob, name == prefixDue && isTick(key):
		return &Reference{}
	}
	return nil
}

func isTick(key []byte) bool {
	e, err := parseDueKey(key)
	return err == nil && e.Kind == DueTick
}

// leftBehind are the records of a backup that are not loaded.
func leftBehind(key []byte) bool {
	switch string(segmentOf(key)) {
	case prefixLocks, prefixHeld, prefixNodes, prefixResults, prefixPayloads:
		return true
	}
	return false
}

// CheckLoaded tells if a record is one that Load takes.
func CheckLoaded(key, payload []byte) error {
	_, err := loaded(key, payload)
	return err
}

func loaded(key, payload []byte) (Message, error) {
	into := loadable(key)
	if into == nil {
		return nil, fmt.Errorf("%w: record %.64q is not one that can be loaded", ErrFormat, key)
	}
	// Somebody may have made it up. Text that is not UTF-8 is refused here alone: what reads
	// records later does not ask.
	if err := proto.Unmarshal(payload, into); err != nil {
		return nil, corrupt("record %q: %w", key, err)
	}
	return into, decode(key, payload, into)
}

// Loadable walks the records of a settled state that go into another one, which
// CheckLoadable has found to be right. Slices are valid within fn only.
func (r *Reader) Loadable(fn func(key, payload []byte) error) error {
	return r.each(func(key, value []byte) error {
		if leftBehind(key) {
			return nil
		}
		return fn(key, value[envelopeHeader:])
	})
}

// CheckLoadable looks through all that Loadable hands out. What is not settled, or not
// right, is ErrCorrupt or ErrFormat.
func (r *Reader) CheckLoadable(ctx context.Context) error {
	newest, unmatched, of := r.view.applied.GetSequence(), 0, owner{}
	err := r.Loadable(func(key, payload []byte) error {
		m, err := loaded(key, payload)
		if err != nil {
			return err
		}
		if err := checkSettled(key, m, newest); err != nil {
			return err
		}
		switch m.(type) {
		case *Job:
			unmatched++
		case *Schedule:
			unmatched--
		case *Version:
			if of, err = r.ownerOf(key, of); err != nil {
				return err
			}
		}
		return ctx.Err()
	})
	if err == nil && unmatched != 0 {
		return corrupt("there are not as many jobs as records of their schedules")
	}
	return err
}

// owner is a job that has versions.
type owner struct {
	id      string
	version uint64 // the newest
}

// ownerOf is the job of a version's key, which must be there and have come that far. last
// is that of the key before.
func (r *Reader) ownerOf(key []byte, last owner) (owner, error) {
	id, _, err := parseJobKey(prefixVersions, key)
	if err != nil {
		return last, err
	}
	if id != last.id {
		job, err := r.Job(id)
		if err != nil {
			return last, err
		}
		if job == nil {
			return last, corrupt("record %q: there is no such job", key)
		}
		last = owner{id, job.Version}
	}
	n, err := versionOf(key)
	if err == nil && n > last.version {
		err = corrupt("record %q: the job is at version %d", key, last.version)
	}
	return last, err
}

// versionMax bounds the versions of a job that is loaded, so that those to come do not begin
// anew.
const versionMax = 1 << 62

// checkSettled tells if a record belongs in a settled state: an execution has come to an end,
// because of what is unfinished the other state would have no index; and no generation of a
// job is one that is still to come, because its executions would be taken for new.
func checkSettled(key []byte, m Message, newest uint64) error {
	var generation uint64
	switch m := m.(type) {
	case *Job:
		if m.Version > versionMax {
			return corrupt("record %q: its version is %d", key, m.Version)
		}
		generation = m.Generation
	case *Schedule:
		generation = m.Generation
	case *Version:
		if m.Definition == nil {
			return corrupt("record %q: the version has no definition", key)
		}
	case *Execution:
		if m.Status <= Status_STATUS_PENDING {
			return corrupt("record %q: the execution is unfinished, and no index knows of it", key)
		}
		_, exec, err := parseJobKey(prefixExecutions, key)
		if err != nil {
			return err
		}
		generation = max(m.Generation, KeyGeneration(exec))
	}
	if generation > newest {
		return corrupt("record %q: its generation is %d, and the newest is %d", key, generation, newest)
	}
	return nil
}

// Load writes a record that Loadable handed out.
func (t *Tx) Load(key, payload []byte) error {
	value := make([]byte, envelopeHeader, envelopeHeader+len(payload))
	value[0] = envelopeVersion
	binary.BigEndian.PutUint32(value[1:], recordSum(key, payload))
	if len(payload)+envelopeHeader > MaxRecord {
		return fmt.Errorf("%w: record %q has %d bytes, at most %d fit", ErrTooBig, key, len(payload), MaxRecord)
	}
	return t.set(key, append(value, payload...))
}

// Unload removes records that Load writes, as many as most, and tells how many
// that were.
func (t *Tx) Unload(most int) (int, error) {
	var keys [][]byte
	for _, prefix := range []string{prefixDue, prefixExecutions, prefixTriggers, prefixSchedule, prefixVersions, prefixJobs} {
		err := t.Scan([]byte(prefix), nil, func(key []byte, _ func(Message) error) (bool, error) {
			if len(keys) < most {
				keys = append(keys, bytes.Clone(key))
			}
			return len(keys) < most, nil
		})
		if err != nil {
			return 0, err
		}
	}
	for _, key := range keys {
		if err := t.Delete(key); err != nil {
			return 0, err
		}
	}
	return len(keys), nil
}

// Blank tells if there are no jobs and no rows.
func (r records) Blank() (bool, error) {
	blank := true
	for _, prefix := range []string{prefixJobs, prefixExecutions, prefixVersions} {
		err := r.src.Scan([]byte(prefix), nil, func([]byte, func(Message) error) (bool, error) {
			blank = false
			return false, nil
		})
		if err != nil {
			return false, err
		}
	}
	return blank, nil
}

// Loading reads loading/restore.
func (r records) Loading() (*Loading, error) { return read(r.src, []byte(keyLoading), &Loading{}) }

// PutLoading writes loading/restore.
func (t *Tx) PutLoading(l *Loading) error { return t.Put([]byte(keyLoading), l) }

// DeleteLoading removes loading/restore.
func (t *Tx) DeleteLoading() error { return t.Delete([]byte(keyLoading)) }
