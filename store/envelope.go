package store

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"
)

// Every value is an envelope: one byte of version, the CRC32C of key and
// payload, the payload. The key is part of the sum, so a value that turns up
// under another key is noticed too.
const (
	envelopeVersion = 1
	envelopeHeader  = 5
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Message is what a record holds, with the encoding that is generated for it: several
// times as fast as the one by reflection, and the same bytes. Two nodes must hold the same.
type Message interface {
	proto.Message
	Reset()
	SizeVT() int
	MarshalVT() ([]byte, error)
	MarshalToSizedBufferVT([]byte) (int, error)
	UnmarshalVT([]byte) error
}

func recordSum(key, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, payload)
}

// seal encodes m as the value of key.
func seal(key []byte, m Message) ([]byte, error) {
	buf := make([]byte, envelopeHeader+m.SizeVT())
	if _, err := m.MarshalToSizedBufferVT(buf[envelopeHeader:]); err != nil {
		return nil, err
	}
	buf[0] = envelopeVersion
	binary.BigEndian.PutUint32(buf[1:], recordSum(key, buf[envelopeHeader:]))
	return buf, nil
}

// unseal answers the payload of a value, or ErrCorrupt.
func unseal(key, value []byte) ([]byte, error) {
	if len(value) < envelopeHeader {
		return nil, corrupt("record %q is %d bytes long, too short for its envelope", key, len(value))
	}
	payload := value[envelopeHeader:]
	if sum := binary.BigEndian.Uint32(value[1:]); sum != recordSum(key, payload) {
		return nil, corrupt("record %q does not match its checksum", key)
	}
	if value[0] != envelopeVersion {
		return nil, corrupt("record %q has envelope version %d, this build reads %d", key, value[0], envelopeVersion)
	}
	return payload, nil
}

// decode reads a payload that unseal answered.
func decode(key, payload []byte, into Message) error {
	into.Reset()
	if err := into.UnmarshalVT(payload); err != nil {
		return corrupt("record %q: %w", key, err)
	}
	return nil
}

// recordHash is one record's share of the digest: the sum over all records is
// the same whatever order they were written in.
func recordHash(key, value []byte) uint64 {
	var room [512]byte // what most records fit in: hashed in one go
	all := binary.BigEndian.AppendUint32(room[:0], uint32(len(key)))
	if len(all)+len(key)+len(value) <= len(room) {
		return xxhash.Sum64(append(append(all, key...), value...))
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(all)
	_, _ = d.Write(key)
	_, _ = d.Write(value)
	return d.Sum64()
}
