package raftfsm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// On a connection for commands, questions go one way and answers the other, each
// with the number of its question. Several may be under way.
//
//	length (4 bytes)  number (8)  kind or verdict (1)  body
//
// The body of a question is a Batch, of an answer the results of its commands
// or the text of an error. That of a beat is an incarnation and a Beat, its answer's
// a Report.
const (
	incarnationBytes = 8
	wireHead         = 13
	// wireMax is what an honest node sends at the most: an entry, or the results
	// of its commands.
	wireMax = 2 << 20
)

const (
	askCommands byte = 1 + iota // commit these
	askStage                    // is there a cluster already?
	askBeat                     // this incarnation of mine lives
	askJoin                     // take me in; 1: with a vote
	askLeave                    // take me out: my disk is lost
	askRemove                   // take that node out
	askSum                      // what is the sum over your state after this entry?
)

// What became of a question.
const (
	saidDone   byte = 1 + iota // committed; the results follow
	saidAgain                  // not committed: ask the leader, once more
	saidUnsure                 // perhaps committed, or later
	saidFull                   // not committed: the leader's disk is full
	saidWrong                  // not committed, and never will be: the text says why
	saidStage                  // a stage follows
)

var errWire = errors.New("raftfsm: malformed frame")

type wireFrame struct {
	number uint64
	code   byte
	body   []byte
}

func (f wireFrame) encode() []byte {
	b := make([]byte, wireHead, wireHead+len(f.body))
	binary.BigEndian.PutUint32(b, uint32(wireHead-4+len(f.body)))
	binary.BigEndian.PutUint64(b[4:], f.number)
	b[12] = f.code
	return append(b, f.body...)
}

func readFrame(r io.Reader) (f wireFrame, err error) {
	var head [wireHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return f, err
	}
	size := int64(binary.BigEndian.Uint32(head[:])) - (wireHead - 4)
	if size < 0 || size > wireMax {
		return f, fmt.Errorf("%w: %d bytes", errWire, size)
	}
	f.number, f.code = binary.BigEndian.Uint64(head[4:]), head[12]
	var body bytes.Buffer // it grows with what really comes
	if _, err := io.CopyN(&body, r, size); err != nil {
		return f, io.ErrUnexpectedEOF
	}
	f.body = body.Bytes()
	return f, nil
}

func encodeResults(results []*Result) ([]byte, error) {
	var b []byte
	for _, res := range results {
		one, err := deterministic.Marshal(res)
		if err != nil {
			return nil, err
		}
		b = protowire.AppendBytes(b, one)
	}
	return b, nil
}

func decodeResults(b []byte) (results []*Result, index uint64, err error) {
	for len(b) > 0 {
		one, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return nil, 0, errWire
		}
		res := &Result{}
		if err := proto.Unmarshal(one, res); err != nil {
			return nil, 0, fmt.Errorf("%w: %v", errWire, err)
		}
		results, b = append(results, res), b[n:]
		index = max(index, res.Index)
	}
	return results, index, nil
}

// decodeCommands reads and checks what another node wants committed by a program
// that knows feature levels up to this one. One beyond would stop this node, and all
// like it, at every start.
func decodeCommands(body []byte, level uint32) (*request, error) {
	batch := &Batch{}
	if err := proto.Unmarshal(body, batch); err != nil {
		return nil, fmt.Errorf("%w: %v", errWire, err)
	}
	if err := validateBatch(batch); err != nil {
		return nil, err
	}
	r := &request{body: body, n: len(batch.Commands), done: make(chan answer, 1)}
	for _, c := range batch.Commands {
		if asked := c.GetRaise().GetLevel(); asked > level {
			return nil, fmt.Errorf("%w (level %d; this program knows %d)", ErrLevel, asked, level)
		}
		r.weight += weigh(c, proto.Size(c))
	}
	if r.n == 0 || len(body) > entryBytes || r.weight > entryCells && r.n > 1 {
		return nil, fmt.Errorf("%w: %d commands of %d bytes", ErrTooLarge, r.n, len(body))
	}
	return r, nil
}
