package raftfsm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// A log entry is a version byte, the CRC32C of the payload, and the payload:
// a Batch in protobuf. Bolt and Badger pass flipped bits on without a word;
// this checksum travels with the entry from the proposer to every Apply.
const (
	envelopeVersion = 1
	envelopeHeader  = 5
)

var (
	// errUnknownVersion and errUnknownCommand come from a newer Chronos. The
	// node stops: to skip what others apply is to diverge silently.
	errUnknownVersion = errors.New("log entry of an unknown version: this node runs an older Chronos than the one that wrote it; upgrade it")
	errUnknownCommand = errors.New("command unknown to this node: it runs an older Chronos than the one that wrote it; upgrade it")
	errEnvelope       = errors.New("log entry is damaged")
)

var (
	castagnoli    = crc32.MakeTable(crc32.Castagnoli)
	deterministic = proto.MarshalOptions{Deterministic: true}
	measured      = proto.MarshalOptions{Deterministic: true, UseCachedSize: true} // right after Size
)

// appendCommand appends c as one element of Batch.commands, so that bodies
// encoded by different callers make a Batch when put one after the other.
func appendCommand(b []byte, c *Command) ([]byte, error) {
	b = protowire.AppendTag(b, 1, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(deterministic.Size(c)))
	return measured.MarshalAppend(b, c)
}

// sealEntry makes log entry data of commands that appendCommand encoded.
func sealEntry(bodies ...[]byte) []byte {
	size := envelopeHeader
	for _, b := range bodies {
		size += len(b)
	}
	data := make([]byte, envelopeHeader, size)
	for _, b := range bodies {
		data = append(data, b...)
	}
	data[0] = envelopeVersion
	binary.BigEndian.PutUint32(data[1:], crc32.Checksum(data[envelopeHeader:], castagnoli))
	return data
}

// encodeBatch makes log entry data of a whole batch.
func encodeBatch(b *Batch) ([]byte, error) {
	payload, err := deterministic.Marshal(b)
	if err != nil {
		return nil, err
	}
	return sealEntry(payload), nil
}

// decodeBatch opens log entry data.
func decodeBatch(data []byte) (*Batch, error) {
	if len(data) < envelopeHeader {
		return nil, fmt.Errorf("%w: %d bytes are too few", errEnvelope, len(data))
	}
	if data[0] != envelopeVersion {
		return nil, fmt.Errorf("%w (version %d)", errUnknownVersion, data[0])
	}
	payload := data[envelopeHeader:]
	if binary.BigEndian.Uint32(data[1:]) != crc32.Checksum(payload, castagnoli) {
		return nil, fmt.Errorf("%w: checksum mismatch", errEnvelope)
	}
	b := &Batch{}
	if err := b.UnmarshalVT(payload); err != nil {
		return nil, fmt.Errorf("%w: %v", errEnvelope, err)
	}
	return b, nil
}

// validateBatch finds what this node does not understand. Records may carry
// unknown fields, commands may not: a field that is ignored here and obeyed
// elsewhere is a divergence.
func validateBatch(b *Batch) error {
	if len(b.ProtoReflect().GetUnknown()) > 0 {
		return errUnknownCommand
	}
	for i, c := range b.Commands {
		if err := validateCommand(c); err != nil {
			return fmt.Errorf("command %d: %w", i, err)
		}
	}
	return nil
}

func validateCommand(c *Command) error {
	m := c.ProtoReflect()
	if len(m.GetUnknown()) > 0 {
		return errUnknownCommand
	}
	body := m.WhichOneof(commandBody())
	if body == nil {
		return errUnknownCommand
	}
	if unknownWithin(m.Get(body).Message()) {
		return fmt.Errorf("%w (field of %s)", errUnknownCommand, body.Name())
	}
	return nil
}

var commandBody = sync.OnceValue(func() protoreflect.OneofDescriptor {
	return (&Command{}).ProtoReflect().Descriptor().Oneofs().ByName("body")
})

// unknownWithin looks for unknown fields in a message and in what it holds: the
// definition of a job is part of the command that puts it.
func unknownWithin(m protoreflect.Message) bool {
	if len(m.GetUnknown()) > 0 {
		return true
	}
	for _, f := range messageFields()[m.Descriptor()] {
		switch {
		case !m.Has(f):
		case f.IsList():
			for list, i := m.Get(f).List(), 0; i < list.Len(); i++ {
				if unknownWithin(list.Get(i).Message()) {
					return true
				}
			}
		case unknownWithin(m.Get(f).Message()):
			return true
		}
	}
	return false
}

// messageFields are the fields that hold messages, of each message within a command. Few fields do:
// to look at all the others would cost as much as to read the command.
var messageFields = sync.OnceValue(func() map[protoreflect.MessageDescriptor][]protoreflect.FieldDescriptor {
	out := map[protoreflect.MessageDescriptor][]protoreflect.FieldDescriptor{}
	todo := []protoreflect.MessageDescriptor{(&Command{}).ProtoReflect().Descriptor()}
	for len(todo) > 0 {
		m := todo[0]
		todo = todo[1:]
		if _, done := out[m]; done {
			continue
		}
		out[m] = nil
		for i := range m.Fields().Len() {
			if f := m.Fields().Get(i); f.Message() != nil {
				out[m] = append(out[m], f)
				todo = append(todo, f.Message())
			}
		}
	}
	return out
})
