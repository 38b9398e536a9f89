package mesh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Kind says what a connection is for.
type Kind byte

// The kinds.
const (
	Raft     Kind = 'R'
	Commands Kind = 'C'
)

// hello is the first thing on a connection, and all that a stranger is read:
//
//	CHRM  version  kind  length (2 bytes)  cluster  node  address  epoch
//
// with a length byte in front of each text. The answer is
//
//	CHRM  version  verdict  length (2 bytes)  node  epoch
//
// The epoch of a cluster that was never recovered is left out: so nodes from before
// there were epochs understand it.
type hello struct {
	kind                Kind
	cluster, node, addr string
	epoch               Epoch
}

const (
	magic       = "CHRM"
	version     = 1
	headSize    = len(magic) + 4
	maxHello    = 4 * 256
	maxText     = 255
	answerLimit = 2 * 256
)

// verdict is the listening side's answer.
type verdict byte

const (
	welcome verdict = iota
	wrongCluster
	unknownKind
	itself
	wrongEpoch
	notYet
)

// Errors of Dial that callers tell apart.
var (
	// ErrCluster: the other side belongs to another cluster.
	ErrCluster = errors.New("mesh: it belongs to another cluster")
	// ErrNode: under the address there is another node.
	ErrNode = errors.New("mesh: another node answers there")
	// ErrEpoch: one of the two was left behind when the cluster was recovered.
	ErrEpoch = errors.New("mesh: it is of another epoch of the cluster")
	// ErrNotYet: the other node is still opening, and takes no entries yet.
	ErrNotYet = errors.New("mesh: it is still opening")
	// ErrUnknown: nobody has said where that node is.
	ErrUnknown = errors.New("mesh: no address is known")
	// ErrClosed: the mesh was closed.
	ErrClosed = errors.New("mesh: closed")

	errStranger = errors.New("mesh: not a node of this kind")
)

func frame(code byte, texts ...string) ([]byte, error) {
	var body []byte
	for _, text := range texts {
		if len(text) > maxText {
			return nil, fmt.Errorf("mesh: %.20q… has %d bytes of at most %d", text, len(text), maxText)
		}
		body = append(append(body, byte(len(text))), text...)
	}
	b := append([]byte(magic), version, code)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...), nil
}

// readFrame reads a frame of so many texts and an epoch, and no byte more than its
// size.
func readFrame(r io.Reader, limit int, epoch *Epoch, texts ...*string) (code byte, err error) {
	var head [headSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, err
	}
	size := int(binary.BigEndian.Uint16(head[headSize-2:]))
	if string(head[:len(magic)]) != magic || size > limit {
		return 0, errStranger
	}
	if v := head[len(magic)]; v != version {
		return 0, fmt.Errorf("%w: protocol version %d, this node speaks %d", errStranger, v, version)
	}
	body := make([]byte, size)
	if _, err := io.ReadFull(r, body); err != nil {
		return 0, err
	}
	*epoch = Unrecovered
	var last string
	if len(texts) < countTexts(body) {
		texts = append(texts, &last)
	}
	for _, to := range texts {
		if len(body) == 0 || len(body) < 1+int(body[0]) {
			return 0, errStranger
		}
		n := 1 + int(body[0])
		*to, body = string(body[1:n]), body[n:]
	}
	if len(body) > 0 || Epoch(last) == Unrecovered {
		return 0, errStranger
	}
	if texts[len(texts)-1] == &last {
		*epoch = Epoch(last)
	}
	return head[len(magic)+1], nil
}

// countTexts is how many texts there are in a body, if it is made of texts.
func countTexts(body []byte) (n int) {
	for ; len(body) > 0; n++ {
		body = body[min(len(body), 1+int(body[0])):]
	}
	return n
}

// withEpoch are the texts of a frame of an epoch.
func withEpoch(epoch Epoch, texts ...string) []string {
	if epoch == Unrecovered {
		return texts
	}
	return append(texts, string(epoch))
}

func (h hello) encode() ([]byte, error) {
	return frame(byte(h.kind), withEpoch(h.epoch, h.cluster, h.node, h.addr)...)
}

func readHello(r io.Reader) (h hello, err error) {
	code, err := readFrame(r, maxHello, &h.epoch, &h.cluster, &h.node, &h.addr)
	h.kind = Kind(code)
	return h, err
}

// readAnswer reads the listening side's verdict, name and epoch.
func readAnswer(r io.Reader) (node string, epoch Epoch, err error) {
	code, err := readFrame(r, answerLimit, &epoch, &node)
	if err != nil {
		return "", "", err
	}
	switch verdict(code) {
	case welcome:
		return node, epoch, nil
	case wrongCluster:
		return node, epoch, ErrCluster
	case wrongEpoch:
		return node, epoch, ErrEpoch
	case notYet:
		return node, epoch, ErrNotYet
	}
	return node, epoch, fmt.Errorf("%w (verdict %d of %q)", errStranger, code, node)
}
