package store

import (
	"cmp"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// Key prefixes. A job ID holds no zero byte, so a zero byte ends it; what
// follows is fixed in width or last, so that bytes sort as the parts do.
const (
	prefixJobs       = "jobs/"
	prefixVersions   = "versions/"
	prefixSchedule   = "schedule/"
	prefixExecutions = "executions/"
	prefixLocks      = "locks/"
	prefixHeld       = "held/"
	prefixPlaces     = "places/"
	prefixDue        = "due/"
	prefixActive     = "active/"
	prefixWaiting    = "waiting/"
	prefixNodes      = "nodes/"
	prefixResults    = "results/"
	prefixTriggers   = "keys/"
	prefixPayloads   = "payloads/"
	prefixLoading    = "loading/"
	prefixMeta       = "meta/"
)

// keyLoading names the one record below loading/.
const keyLoading = prefixLoading + "restore"

// DueKind says what the planner has to look at when an entry of the due index
// comes up.
type DueKind byte

// The kinds of due index entries.
const (
	DueTick     DueKind = 1 // a schedule's next instant
	DueReady    DueKind = 2 // the next attempt of an execution
	DueDeadline DueKind = 3 // the last instant at which an execution may start
)

var errKey = errors.New("store: malformed key")

func jobKey(id string) []byte      { return []byte(prefixJobs + id) }
func scheduleKey(id string) []byte { return []byte(prefixSchedule + id) }
func lockKey(id string) []byte     { return []byte(prefixLocks + id) }
func heldKey(name string) []byte   { return []byte(prefixHeld + name) }
func placesKey(key string) []byte  { return []byte(prefixPlaces + key) }
func nodeKey(id string) []byte     { return []byte(prefixNodes + id) }

func versionKey(job string, version uint64) []byte {
	return binary.BigEndian.AppendUint64(jobPrefix(prefixVersions, job), version)
}

func executionKey(job, exec string) []byte {
	return append(jobPrefix(prefixExecutions, job), exec...)
}

func activeKey(job, exec string) []byte {
	return append(jobPrefix(prefixActive, job), exec...)
}

func payloadKey(job, exec string) []byte {
	return append(jobPrefix(prefixPayloads, job), exec...)
}

func triggerKey(job, key string) []byte {
	return append(jobPrefix(prefixTriggers, job), key...)
}

func resultKey(index uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte(prefixResults), index)
}

func jobPrefix(prefix, job string) []byte {
	key := make([]byte, 0, len(prefix)+len(job)+48)
	key = append(key, prefix...)
	key = append(key, job...)
	return append(key, 0)
}

// orderedInstant keeps the order of signed instants in unsigned bytes.
func orderedInstant(ns int64) uint64 { return uint64(ns) ^ 1<<63 }

func instantOf(ordered uint64) int64 { return int64(ordered ^ 1<<63) }

// dueKey is due/{instant}{kind}{job}\x00{exec}.
func dueKey(at int64, kind DueKind, job, exec string) []byte {
	key := make([]byte, 0, len(prefixDue)+10+len(job)+len(exec))
	key = append(key, prefixDue...)
	key = binary.BigEndian.AppendUint64(key, orderedInstant(at))
	key = append(key, byte(kind))
	key = append(key, job...)
	key = append(key, 0)
	return append(key, exec...)
}

// DueEntry is one entry of the due index.
type DueEntry struct {
	At   int64
	Kind DueKind
	Job  string
	Exec string
}

func parseDueKey(key []byte) (DueEntry, error) {
	rest := key[len(prefixDue):]
	if len(rest) < 10 {
		return DueEntry{}, errKey
	}
	job, exec, ok := strings.Cut(string(rest[9:]), "\x00")
	if !ok {
		return DueEntry{}, errKey
	}
	return DueEntry{
		At:   instantOf(binary.BigEndian.Uint64(rest)),
		Kind: DueKind(rest[8]),
		Job:  job,
		Exec: exec,
	}, nil
}

// WaitingEntry is one execution that waits for a node with room.
type WaitingEntry struct {
	Class string
	Rank  int64
	Job   string
	Exec  string
}

// waitingKey is waiting/{class}\x00{rank}{job}\x00{exec}.
func waitingKey(w WaitingEntry) []byte {
	key := binary.BigEndian.AppendUint64(jobPrefix(prefixWaiting, w.Class), orderedInstant(w.Rank))
	key = append(key, w.Job...)
	key = append(key, 0)
	return append(key, w.Exec...)
}

// Before tells who is first of two in one queue.
func (w WaitingEntry) Before(o WaitingEntry) bool {
	return cmp.Or(cmp.Compare(w.Rank, o.Rank), cmp.Compare(w.Job, o.Job), cmp.Compare(w.Exec, o.Exec)) < 0
}

func parseWaitingKey(key []byte) (WaitingEntry, error) {
	class, rest, ok := strings.Cut(string(key[len(prefixWaiting):]), "\x00")
	if !ok || len(rest) < 9 {
		return WaitingEntry{}, errKey
	}
	job, exec, ok := strings.Cut(rest[8:], "\x00")
	if !ok {
		return WaitingEntry{}, errKey
	}
	rank := instantOf(binary.BigEndian.Uint64([]byte(rest[:8])))
	return WaitingEntry{Class: class, Rank: rank, Job: job, Exec: exec}, nil
}

// parseJobKey splits {prefix}{job}\x00{rest}.
func parseJobKey(prefix string, key []byte) (job, rest string, err error) {
	job, rest, ok := strings.Cut(string(key[len(prefix):]), "\x00")
	if !ok {
		return "", "", errKey
	}
	return job, rest, nil
}

// instantText is how an instant stands in an execution's ID: 13 characters
// that sort as the instants do.
var instantText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// ExecutionKey names an execution within its job: the due instant first, so
// that IDs sort by it, then where it came from. The same occurrence has the
// same key on every node and in every attempt.
func ExecutionKey(due int64, origin Origin, suffix string) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], orderedInstant(due))
	return instantText.EncodeToString(b[:]) + "-" + originLetter(origin) + suffix
}

// ScheduledKey is the execution key of the occurrence (generation, due).
func ScheduledKey(due int64, generation uint64) string {
	return ExecutionKey(due, Origin_ORIGIN_SCHEDULE, strconv.FormatUint(generation, 36))
}

// KeyGeneration is the generation of the occurrence that an execution's key is of; 0 if it is
// of none.
func KeyGeneration(exec string) uint64 {
	_, rest, _ := strings.Cut(KeyOccurrence(exec), "-"+originLetter(Origin_ORIGIN_SCHEDULE))
	generation, err := strconv.ParseUint(rest, 36, 64)
	if err != nil {
		return 0
	}
	return generation
}

// targetMark stands before the node that an execution is for. Job IDs and what
// else a key consists of do not contain it.
const targetMark = "@"

// TargetKey is the key of what is for one node; key itself when it is for any.
func TargetKey(key, node string) string {
	if node == "" {
		return key
	}
	return key + targetMark + node
}

// KeyTarget is the node that an execution is for, by its key; "" = any.
func KeyTarget(exec string) string {
	_, node, _ := strings.Cut(exec, targetMark)
	return node
}

// KeyOccurrence is an execution's key without the node that it is for: the same
// for all executions of one occurrence.
func KeyOccurrence(exec string) string {
	base, _, _ := strings.Cut(exec, targetMark)
	return base
}

// KeyFloor sorts before every execution key with this due instant or a later one.
func KeyFloor(due int64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], orderedInstant(due))
	return instantText.EncodeToString(b[:])
}

// KeyDue reads the due instant back from an execution key.
func KeyDue(key string) (int64, bool) {
	text, _, ok := strings.Cut(key, "-")
	if !ok || len(text) != 13 {
		return 0, false
	}
	b, err := instantText.DecodeString(text)
	if err != nil || len(b) != 8 {
		return 0, false
	}
	return instantOf(binary.BigEndian.Uint64(b)), true
}

func originLetter(o Origin) string {
	switch o {
	case Origin_ORIGIN_TRIGGER:
		return "t"
	case Origin_ORIGIN_BACKFILL:
		return "b"
	default:
		return "s"
	}
}
