package jobfile

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// Kind is what a Value is.
type Kind int

// The kinds of JSON.
const (
	Null Kind = iota
	Bool
	Number
	String
	List
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "a boolean", "a number", "a text", "a list", "an object"}[k]
}

// Value is a piece of a job file with the place where it stands: what [Decode] makes
// jobs of. It lets other formats than JSON have the same model, and the same errors.
type Value struct {
	Kind         Kind
	Line, Column int     // from 1
	Text         string  // of a String; of a Number and a Bool as JSON writes it
	Items        []Value // of a List
	Fields       []Field // of an Object, in the order of the file
}

// Field is one member of an object.
type Field struct {
	Name         string
	Line, Column int
	Value        Value
}

// field finds a member of an object.
func (v Value) field(name string) (Value, bool) {
	for _, f := range v.Fields {
		if f.Name == name {
			return f.Value, true
		}
	}
	return Value{}, false
}

// appendJSON writes a value without blanks, members in the order of the file.
func (v Value) appendJSON(b *bytes.Buffer) {
	switch v.Kind {
	case Null:
		b.WriteString("null")
	case String:
		quote(b, v.Text)
	case List:
		b.WriteByte('[')
		for i, item := range v.Items {
			comma(b, i)
			item.appendJSON(b)
		}
		b.WriteByte(']')
	case Object:
		b.WriteByte('{')
		for i, f := range v.Fields {
			comma(b, i)
			quote(b, f.Name)
			b.WriteByte(':')
			f.Value.appendJSON(b)
		}
		b.WriteByte('}')
	default:
		b.WriteString(v.Text)
	}
}

func comma(b *bytes.Buffer, i int) {
	if i > 0 {
		b.WriteByte(',')
	}
}

// quote writes a text without the escapes that are only for HTML.
func quote(b *bytes.Buffer, text string) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil { // no text fails
		b.WriteString(strconv.Quote(text))
		return
	}
	b.Truncate(b.Len() - 1) // the line's end
}
