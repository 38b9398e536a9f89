package jobfile

import (
	"crypto/sha256"
	"encoding/hex"
	"path"
	"strings"
)

// base is what a line runs, as whom: what its ID is made of.
func (e entry) base() string {
	return e.command.User + "\x00" + e.command.Command + "\x00" + e.command.Stdin
}

// id is a name that a person recognizes, and a hash that keeps names apart. It is
// frozen by a test: another ID would be another job.
func (e entry) id(prefix string, timed bool) string {
	of := e.base()
	if timed {
		of += "\x00" + e.schedule.String()
	}
	sum := sha256.Sum256([]byte(of))
	return prefix + e.name() + "-" + hex.EncodeToString(sum[:4])
}

// maxName bounds the part of an ID that is for people.
const maxName = 40

// name is made of the program and what follows it.
func (e entry) name() string {
	var b strings.Builder
	for i, word := range strings.Fields(e.command.Command) {
		if i == 0 {
			word = path.Base(word)
		}
		for _, r := range word {
			switch {
			case r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9':
				b.WriteRune(r)
			case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
				b.WriteByte('-')
			}
			if b.Len() >= maxName {
				return strings.TrimRight(b.String(), "-")
			}
		}
		if b.Len() > 0 && !strings.HasSuffix(b.String(), "-") {
			b.WriteByte('-')
		}
	}
	if b.Len() == 0 {
		return "job"
	}
	return strings.TrimRight(b.String(), "-")
}
