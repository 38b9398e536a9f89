package chronoshttp

import (
	"encoding/base64"
	"unicode/utf8"
)

// Payloads and outputs are bytes. Most are text, and are written as such; what is
// no UTF-8 is written in base64, in a field of its own.

func asText(b []byte) (text *string, encoded string) {
	switch {
	case len(b) == 0:
		return nil, ""
	case utf8.Valid(b):
		s := string(b)
		return &s, ""
	}
	return nil, base64.StdEncoding.EncodeToString(b)
}

// fromText is nil if nothing was given, and empty if an empty text was.
func fromText(field string, text *string, encoded string) ([]byte, error) {
	switch {
	case text != nil && encoded != "":
		return nil, invalid(field, "and "+field+"_base64 exclude each other; set one")
	case text != nil:
		return []byte(*text), nil
	case encoded == "":
		return nil, nil
	}
	b, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, invalid(field+"_base64", "is not base64 (the standard alphabet, with padding)")
	}
	return b, nil
}
