package jobfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

const (
	// maxFile bounds a file: ten thousand jobs have some five megabytes.
	maxFile = 64 << 20
	// maxDepth bounds how deep values are nested; a job needs seven, a payload what
	// is left.
	maxDepth = 100
)

// read takes a whole file.
func read(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("chronos: job file: %w", err)
	}
	if len(b) > maxFile {
		return nil, whole(0, 0, "has more than %d MiB; split it, and give each part an owner of its own", maxFile>>20)
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	if i := invalidUTF8(b); i >= 0 {
		line, column := place(b, i)
		return nil, whole(line, column, "is not UTF-8; write bytes that are no text as payload_base64")
	}
	return b, nil
}

func invalidUTF8(b []byte) int {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
	return -1
}

// place is the line and the column of an offset. Columns count bytes.
func place(b []byte, offset int) (line, column int) {
	offset = min(offset, len(b))
	line = 1 + bytes.Count(b[:offset], []byte("\n"))
	return line, offset - bytes.LastIndexByte(b[:offset], '\n')
}

// jsonReader makes Values of JSON. encoding/json alone takes a name twice, and knows
// no lines.
type jsonReader struct {
	text   []byte
	dec    *json.Decoder
	seen   int // up to which offset lines were counted
	line   int
	lineAt int // offset of the line
}

// parseJSON reads one value, and nothing behind it.
func parseJSON(b []byte) (Value, error) {
	r := &jsonReader{text: b, dec: json.NewDecoder(bytes.NewReader(b)), line: 1}
	r.dec.UseNumber()
	v, err := r.value(0)
	if err != nil {
		return Value{}, r.failed(err)
	}
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		line, column := r.next()
		return Value{}, whole(line, column, "goes on behind its end; a file is one object with the list \"jobs\"")
	}
	return v, nil
}

// next is the place of the next token.
func (r *jsonReader) next() (line, column int) {
	i := int(r.dec.InputOffset())
	for i < len(r.text) && strings.IndexByte(" \t\r\n,:", r.text[i]) >= 0 {
		i++
	}
	for ; r.seen < i; r.seen++ {
		if r.text[r.seen] == '\n' {
			r.line++
			r.lineAt = r.seen + 1
		}
	}
	return r.line, i - r.lineAt + 1
}

func (r *jsonReader) failed(err error) error {
	var known *Error
	if errors.As(err, &known) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		line, column := place(r.text, len(r.text))
		if len(bytes.TrimSpace(r.text)) == 0 {
			return whole(line, column, `is empty; no jobs at all are written as {"jobs": []}`)
		}
		return whole(line, column, "ends too early: something is not closed")
	}
	at := int(r.dec.InputOffset())
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && int(syntax.Offset) > 0 {
		at = max(at, int(syntax.Offset)-1)
	}
	line, column := place(r.text, at)
	return whole(line, column, "is no JSON at column %d; look for a comma, a quote or a bracket that is missing, and leave out comments", column)
}

func (r *jsonReader) value(depth int) (Value, error) {
	line, column := r.next()
	if depth > maxDepth {
		return Value{}, whole(line, column, "is nested more than %d deep", maxDepth)
	}
	token, err := r.dec.Token()
	if err != nil {
		return Value{}, err
	}
	v := Value{Line: line, Column: column}
	switch token := token.(type) {
	case nil:
	case bool:
		v.Kind, v.Text = Bool, fmt.Sprint(token)
	case json.Number:
		v.Kind, v.Text = Number, token.String()
	case string:
		v.Kind, v.Text = String, token
	case json.Delim:
		if token == '[' {
			v.Kind = List
			v.Items, err = r.items(depth)
		} else {
			v.Kind = Object
			v.Fields, err = r.fields(depth)
		}
	}
	return v, err
}

func (r *jsonReader) items(depth int) (items []Value, err error) {
	for r.dec.More() {
		item, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	_, err = r.dec.Token()
	return items, err
}

func (r *jsonReader) fields(depth int) (fields []Field, err error) {
	for r.dec.More() {
		line, column := r.next()
		name, err := r.dec.Token()
		if err != nil {
			return nil, err
		}
		f := Field{Name: name.(string), Line: line, Column: column}
		if f.Value, err = r.value(depth + 1); err != nil {
			return nil, err
		}
		fields = append(fields, f)
	}
	_, err = r.dec.Token()
	return fields, err
}
