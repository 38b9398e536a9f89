package yaml

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/chronos-go/chronos"
	"github.com/chronos-go/chronos/jobfile"
)

const (
	maxFile  = 64 << 20
	maxDepth = 100
	// maxValues bounds what aliases may come to: a short file can name a list of lists
	// of lists a thousand times each.
	maxValues = 1_000_000
	// maxRepeated bounds how many bytes of text aliases may repeat: a payload_json that
	// names one long text over and over is all written out.
	maxRepeated = maxFile
)

// Parse reads jobs from YAML: what jobfile.Parse reads from JSON, with the same fields
// and the same errors. All that is wrong comes in one *jobfile.Error.
func Parse(r io.Reader, o jobfile.Options) ([]chronos.Job, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("chronos: job file: %w", err)
	}
	if len(b) > maxFile {
		return nil, problem(nil, "has more than %d MiB; split it, and give each part an owner of its own", maxFile>>20)
	}
	top, err := document(string(b))
	if err != nil {
		return nil, err
	}
	c := &converter{named: map[*yaml.Node]*anchored{}}
	v, err := c.value(top, 0)
	if err != nil {
		return nil, err
	}
	return jobfile.Decode(withoutExtras(v), o)
}

// document reads the only document of a file.
func document(text string) (*yaml.Node, error) {
	dec := yaml.NewDecoder(strings.NewReader(text))
	var doc, more yaml.Node
	if err := dec.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, problem(nil, "is empty; no jobs at all are written as jobs: []")
	} else if err != nil {
		return nil, syntax(err)
	}
	switch err := dec.Decode(&more); {
	case err == nil:
		return nil, problem(&more, "has a second document (---); a file is one, with the list jobs")
	case !errors.Is(err, io.EOF):
		return nil, syntax(err)
	}
	return doc.Content[0], nil
}

var lineOf = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// syntax gives an error of the parser the line that is in its text.
func syntax(err error) error {
	text := err.Error()
	m := lineOf.FindStringSubmatch(text)
	if m == nil {
		return problem(nil, "is no YAML: %s", text)
	}
	line, _ := strconv.Atoi(m[1])
	return problem(&yaml.Node{Line: line}, "is no YAML: %s; look at the indentation, and at texts that need quotes", text[len(m[0]):])
}

func problem(n *yaml.Node, format string, args ...any) error {
	p := jobfile.Problem{Reason: fmt.Sprintf(format, args...)}
	if n != nil {
		p.Line, p.Column = n.Line, n.Column
	}
	return &jobfile.Error{Problems: []jobfile.Problem{p}}
}

// withoutExtras takes away what begins with x- at the top: there is room for anchors.
func withoutExtras(v jobfile.Value) jobfile.Value {
	var kept []jobfile.Field
	for _, f := range v.Fields {
		if !strings.HasPrefix(f.Name, "x-") {
			kept = append(kept, f)
		}
	}
	v.Fields = kept
	return v
}

// converter makes values of nodes.
type converter struct {
	values   int
	bytes    int // of texts and names
	repeated int // of those, what stands there by an alias
	named    map[*yaml.Node]*anchored
}

// anchored is what an alias stands for, once that is known.
type anchored struct {
	value         jobfile.Value
	values, bytes int
	known         bool
}

func (c *converter) value(n *yaml.Node, depth int) (jobfile.Value, error) {
	if n.Anchor == "" {
		return c.plain(n, depth)
	}
	a, values, bytes := &anchored{}, c.values, c.bytes
	c.named[n] = a
	v, err := c.plain(n, depth)
	a.value, a.values, a.bytes, a.known = v, c.values-values, c.bytes-bytes, true
	return v, err
}

func (c *converter) plain(n *yaml.Node, depth int) (jobfile.Value, error) {
	if c.values++; c.values > maxValues {
		return jobfile.Value{}, problem(n, "comes to more than %d values, by aliases of aliases perhaps", maxValues)
	}
	if depth > maxDepth {
		return jobfile.Value{}, problem(n, "is nested more than %d deep", maxDepth)
	}
	v := jobfile.Value{Line: n.Line, Column: n.Column}
	var err error
	switch n.Kind {
	case yaml.AliasNode:
		v, err = c.alias(n)
	case yaml.SequenceNode:
		v.Kind = jobfile.List
		for _, item := range n.Content {
			one, err := c.value(item, depth+1)
			if err != nil {
				return v, err
			}
			v.Items = append(v.Items, one)
		}
	case yaml.MappingNode:
		v.Kind = jobfile.Object
		v.Fields, err = c.fields(n, depth)
	default:
		c.bytes += len(n.Value)
		err = scalar(n, &v)
	}
	return v, err
}

// alias is what stands at the anchor, which comes before; the place is that of the use.
func (c *converter) alias(n *yaml.Node) (jobfile.Value, error) {
	a := c.named[n.Alias]
	if a == nil || !a.known {
		return jobfile.Value{}, problem(n, "*%.40s is within what it stands for", n.Value)
	}
	if c.values += a.values; c.values > maxValues {
		return jobfile.Value{}, problem(n, "comes to more than %d values, by aliases of aliases perhaps", maxValues)
	}
	c.bytes, c.repeated = c.bytes+a.bytes, c.repeated+a.bytes
	if c.repeated > maxRepeated {
		return jobfile.Value{}, problem(n, "repeats more than %d MiB of text by aliases", maxRepeated>>20)
	}
	v := a.value
	v.Line, v.Column = n.Line, n.Column
	return v, nil
}

func (c *converter) fields(n *yaml.Node, depth int) ([]jobfile.Field, error) {
	var own, merged []jobfile.Field
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind == yaml.AliasNode {
			key = key.Alias
		}
		c.bytes += len(key.Value)
		if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" {
			return nil, problem(n.Content[i], "has a name that is no text")
		}
		v, err := c.value(n.Content[i+1], depth+1)
		if err != nil {
			return nil, err
		}
		if key.ShortTag() == "!!merge" {
			more, err := merge(key, v)
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		own = append(own, jobfile.Field{Name: key.Value, Line: n.Content[i].Line, Column: n.Content[i].Column, Value: v})
	}
	seen := map[string]bool{}
	for _, f := range own {
		seen[f.Name] = true
	}
	for _, f := range merged { // what is written here wins, and then the first
		if !seen[f.Name] {
			own = append(own, f)
		}
		seen[f.Name] = true
	}
	return own, nil
}

// merge gives the fields of what stands behind <<.
func merge(key *yaml.Node, v jobfile.Value) (out []jobfile.Field, err error) {
	switch v.Kind {
	case jobfile.Object:
		return v.Fields, nil
	case jobfile.List:
		for _, item := range v.Items {
			if item.Kind != jobfile.Object {
				return nil, problem(key, "<< takes an object, or a list of some")
			}
			out = append(out, item.Fields...)
		}
		return out, nil
	}
	return nil, problem(key, "<< takes an object, or a list of some")
}

// scalar reads a single value. What YAML takes for a date is the text that it was.
func scalar(n *yaml.Node, v *jobfile.Value) error {
	switch n.ShortTag() {
	case "!!null":
		v.Kind = jobfile.Null
	case "!!bool":
		var b bool
		if err := n.Decode(&b); err != nil {
			return problem(n, "is no boolean; write true or false")
		}
		v.Kind, v.Text = jobfile.Bool, strconv.FormatBool(b)
	case "!!int", "!!float":
		text, ok := number(n)
		if !ok {
			return problem(n, "is no number that JSON has")
		}
		v.Kind, v.Text = jobfile.Number, text
	case "!!str", "!!timestamp":
		v.Kind, v.Text = jobfile.String, n.Value
	default:
		return problem(n, "has the tag %.40s; use plain texts, numbers and booleans (bytes are payload_base64)", n.Tag)
	}
	return nil
}

var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$`)

// number writes a number as JSON does.
func number(n *yaml.Node) (string, bool) {
	if plainNumber.MatchString(n.Value) {
		return n.Value, true
	}
	var signed int64
	if n.Decode(&signed) == nil && n.ShortTag() == "!!int" {
		return strconv.FormatInt(signed, 10), true
	}
	var unsigned uint64
	if n.Decode(&unsigned) == nil && n.ShortTag() == "!!int" {
		return strconv.FormatUint(unsigned, 10), true
	}
	var f float64
	if n.Decode(&f) != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return "", false
	}
	return strconv.FormatFloat(f, 'g', -1, 64), true
}
