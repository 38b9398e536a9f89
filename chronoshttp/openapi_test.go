package chronoshttp

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"math"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/chronos-go/chronos"
)

var update = flag.Bool("update", false, "write openapi.json anew")

// TestOpenAPI makes the description anew, from the table of routes and the types
// of the bodies, and compares: what is in one and not in the other fails.
func TestOpenAPI(t *testing.T) {
	b := &builder{t: t, schemas: map[string]any{}, enums: constants(t)}
	want, err := json.MarshalIndent(b.document(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want = append(want, '\n')
	if *update {
		if err := os.WriteFile("openapi.json", want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if bytes.Equal(want, openAPIFile) {
		return
	}
	was, is := strings.Split(string(openAPIFile), "\n"), strings.Split(string(want), "\n")
	for i := range is {
		if i >= len(was) || was[i] != is[i] {
			t.Fatalf("openapi.json is not what the code says, from line %d on (%q); run: go test -run 'TestOpenAPI$' -update", i+1, is[i])
		}
	}
	t.Fatal("openapi.json has more than the code; run: go test -run 'TestOpenAPI$' -update")
}

// TestOpenAPIRefs checks that every reference leads somewhere and every schema is
// used.
func TestOpenAPIRefs(t *testing.T) {
	used := map[string]bool{}
	for _, m := range regexp.MustCompile(`"#/components/schemas/(\w+)"`).FindAllSubmatch(openAPIFile, -1) {
		used[string(m[1])] = true
	}
	schemas := spec.doc["components"].(map[string]any)["schemas"].(map[string]any)
	for name := range used {
		if schemas[name] == nil {
			t.Errorf("%s is referred to, and not there", name)
		}
	}
	for name := range schemas {
		if !used[name] && name != "Reset" && name != "Beat" {
			t.Errorf("%s is there, and nothing refers to it", name)
		}
	}
}

type object = map[string]any

// builder makes the description.
type builder struct {
	t       *testing.T
	schemas object
	enums   map[string][]string
}

func (b *builder) document() object {
	paths := object{}
	for _, rt := range routes {
		at, ok := paths[rt.path].(object)
		if !ok {
			at = object{}
			paths[rt.path] = at
		}
		key := strings.ToLower(rt.method)
		if at[key] != nil {
			b.t.Errorf("%s %s is there twice", rt.method, rt.path)
		}
		at[key] = b.operation(rt)
	}
	b.schema(reflect.TypeFor[problem]())
	b.schema(reflect.TypeFor[resetJSON]())
	b.schema(reflect.TypeFor[beatJSON]())
	return object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Chronos", "version": "1",
			"description": "Paths are relative to where the host has mounted the handler. Who may do what is decided by the host. " +
				"Times are RFC 3339, durations are text such as 1m30s. IDs of jobs and executions may contain slashes, written as they are or as %2F. " +
				"Fields and parameters that are not named here are refused. docs/http.md tells more.",
			"license": object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"servers":    []any{object{"url": "."}},
		"paths":      paths,
		"components": object{"schemas": b.schemas},
	}
}

func (b *builder) operation(rt route) object {
	op := object{"operationId": rt.name, "summary": rt.doc, "tags": []string{tag(rt.path)}, "x-action": string(rt.action)}
	var params []any
	if strings.Contains(rt.path, "{id}") {
		params = append(params, object{"name": "id", "in": "path", "required": true, "schema": object{"type": "string"}, "description": "of the " + strings.TrimSuffix(tag(rt.path), "s")})
	}
	for _, p := range rt.query {
		params = append(params, b.param(p, "query"))
	}
	for _, p := range rt.header {
		params = append(params, b.param(p, "header"))
	}
	if params != nil {
		op["parameters"] = params
	}
	if rt.body != nil {
		op["requestBody"] = object{"required": !rt.empty, "content": object{"application/json": object{"schema": b.schema(reflect.TypeOf(rt.body))}}}
	}
	answer := object{"description": "done"}
	if rt.result != nil {
		media := rt.media
		if media == "" {
			media = "application/json"
		}
		answer["content"] = object{media: object{"schema": b.schema(reflect.TypeOf(rt.result))}}
	}
	if reflect.TypeOf(rt.result) == reflect.TypeFor[jobJSON]() {
		answer["headers"] = object{"ETag": object{"description": "the version", "schema": object{"type": "string"}}}
	}
	op["responses"] = object{
		strconv.Itoa(rt.status): answer,
		"default":               object{"description": "it went wrong", "content": object{"application/problem+json": object{"schema": b.schema(reflect.TypeFor[problem]())}}},
	}
	return op
}

func tag(path string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(path, base+"/"), "/")
	return name
}

func (b *builder) param(p param, in string) object {
	schema := object{"type": p.kind}
	if p.kind == "time" {
		schema = object{"type": "string", "format": "date-time"}
	}
	if p.enum != nil {
		schema = b.schema(reflect.TypeOf(p.enum))
	}
	if p.many {
		schema = object{"type": "array", "items": schema}
	}
	return object{"name": p.name, "in": in, "description": p.doc, "schema": schema}
}

func (b *builder) schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[duration]():
		return object{"type": "string", "pattern": `^-?0?([0-9.]+(ns|us|µs|ms|s|m|h))+$`, "examples": []string{"1m30s"}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return b.schema(t.Elem())
	case reflect.String:
		if values := b.enums[t.Name()]; values != nil {
			return object{"type": "string", "enum": values}
		}
		return object{"type": "string"}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer"}
	case reflect.Uint64:
		return object{"type": "integer", "minimum": 0}
	case reflect.Float64:
		return object{"type": "number"}
	case reflect.Slice:
		return object{"type": "array", "items": b.schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": b.schema(t.Elem())}
	case reflect.Interface:
		return object{}
	case reflect.Struct:
		return b.structure(t)
	}
	b.t.Fatalf("what is %v in JSON?", t)
	return nil
}

func (b *builder) structure(t reflect.Type) object {
	name := strings.TrimSuffix(t.Name(), "JSON")
	name = string(unicode.ToUpper(rune(name[0]))) + name[1:]
	ref := object{"$ref": "#/components/schemas/" + name}
	if b.schemas[name] != nil {
		return ref
	}
	props, required := object{}, []string{}
	s := object{"type": "object", "properties": props, "additionalProperties": false}
	b.schemas[name] = s
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		field, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if field == "" || f.Tag.Get("doc") == "" {
			b.t.Errorf("%v.%s needs a json and a doc tag", t, f.Name)
		}
		prop := b.schema(f.Type)
		prop["description"] = f.Tag.Get("doc")
		props[field] = prop
		if options == "" {
			required = append(required, field)
		}
	}
	if len(required) > 0 {
		s["required"] = required
	}
	return ref
}

// constants are the values of the string types of chronos and of this package, as
// their source has them.
func constants(t *testing.T) map[string][]string {
	out := map[string][]string{}
	for _, dir := range []string{"..", "."} {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".go") || strings.HasSuffix(e.Name(), "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), dir+"/"+e.Name(), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range file.Decls {
				collect(d, out)
			}
		}
	}
	delete(out, "Secret")
	for _, name := range []string{"Overlap", "Misfire", "Delivery", "Status", "Reason", "Origin", "Waiting", "EventKind", "Action"} {
		if len(out[name]) < 2 {
			t.Fatalf("constants of %s were not found: %v", name, out[name])
		}
	}
	return out
}

func collect(d ast.Decl, out map[string][]string) {
	decl, ok := d.(*ast.GenDecl)
	if !ok || decl.Tok != token.CONST {
		return
	}
	for _, s := range decl.Specs {
		spec := s.(*ast.ValueSpec)
		kind, ok := spec.Type.(*ast.Ident)
		if !ok || len(spec.Values) != 1 {
			continue
		}
		if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && text != "" {
				out[kind.Name] = append(out[kind.Name], text)
			}
		}
	}
}

// description is openapi.json, for the checks of answers.
type description struct{ doc object }

var spec = func() description {
	var d description
	if err := json.Unmarshal(openAPIFile, &d.doc); err != nil {
		panic(err)
	}
	return d
}()

func (d description) operation(rt *route) object {
	at, _ := d.doc["paths"].(object)[rt.path].(object)
	op, _ := at[strings.ToLower(rt.method)].(object)
	return op
}

// answer checks a good answer.
func (d description) answer(t *testing.T, what string, rt *route, a *reply) {
	t.Helper()
	responses, _ := d.operation(rt)["responses"].(object)
	want, ok := responses[strconv.Itoa(a.status)].(object)
	if !ok {
		t.Errorf("%s: answered %d, which openapi.json does not have", what, a.status)
		return
	}
	content, ok := want["content"].(object)
	if !ok {
		if len(a.body) > 0 {
			t.Errorf("%s: answered with a body: %s", what, a.body)
		}
		return
	}
	got := a.header.Get("Content-Type")
	media, ok := content[got].(object)
	if !ok {
		t.Errorf("%s: answered with %s, which openapi.json does not have", what, got)
		return
	}
	if got == "application/json" {
		d.validate(t, what, media["schema"].(object), a.body)
	}
	if _, ok := want["headers"]; ok && a.header.Get("ETag") == "" {
		t.Errorf("%s: answered without an ETag", what)
	}
}

// accepted checks a body that was good.
func (d description) accepted(t *testing.T, what string, rt *route, body []byte) {
	t.Helper()
	request, ok := d.operation(rt)["requestBody"].(object)
	if !ok {
		t.Errorf("%s: openapi.json has no body for it", what)
		return
	}
	d.validate(t, what+" (body)", request["content"].(object)["application/json"].(object)["schema"].(object), body)
}

func (d description) validate(t *testing.T, what string, schema object, text []byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Errorf("%s: %v: %s", what, err, text)
		return
	}
	for _, wrong := range d.check("", schema, v) {
		t.Errorf("%s: %s", what, wrong)
	}
}

// check is as much of JSON Schema as openapi.json uses.
func (d description) check(path string, schema object, v any) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	if ref, ok := schema["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		target, ok := d.doc["components"].(object)["schemas"].(object)[name].(object)
		if !ok {
			say("no schema %s", name)
			return wrong
		}
		return d.check(path, target, v)
	}
	switch schema["type"] {
	case nil:
	case "string":
		s, ok := v.(string)
		if !ok {
			say("is %v, no string", v)
			return wrong
		}
		if values, ok := schema["enum"].([]any); ok && !slices.Contains(values, any(s)) {
			say("%q is not among %v", s, values)
		}
		if schema["format"] == "date-time" {
			if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
				say("%v", err)
			}
		}
		if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(s) {
			say("%q does not match %s", s, p)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			say("is %v, no boolean", v)
		}
	case "integer":
		if n, ok := v.(float64); !ok || n != math.Trunc(n) || schema["minimum"] != nil && n < schema["minimum"].(float64) {
			say("is %v, no such integer", v)
		}
	case "number":
		if _, ok := v.(float64); !ok {
			say("is %v, no number", v)
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			say("is %v, no array", v)
		}
		for i, item := range list {
			wrong = append(wrong, d.check(path+"/"+strconv.Itoa(i), schema["items"].(object), item)...)
		}
	case "object":
		wrong = append(wrong, d.checkObject(path, schema, v)...)
	default:
		say("this test does not know the type %v", schema["type"])
	}
	return wrong
}

func (d description) checkObject(path string, schema object, v any) (wrong []string) {
	fields, ok := v.(object)
	if !ok {
		return []string{fmt.Sprintf("%s: is %v, no object", path, v)}
	}
	props, _ := schema["properties"].(object)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if prop, ok := props[name].(object); ok {
			wrong = append(wrong, d.check(path+"/"+name, prop, fields[name])...)
		} else if more, ok := schema["additionalProperties"].(object); ok {
			wrong = append(wrong, d.check(path+"/"+name, more, fields[name])...)
		} else {
			wrong = append(wrong, path+"/"+name+": openapi.json does not have it")
		}
	}
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := fields[name.(string)]; !ok {
			wrong = append(wrong, path+"/"+name.(string)+": is missing")
		}
	}
	return wrong
}

// TestDurations checks that the text of every kind of duration fits the pattern
// and is read back.
func TestDurations(t *testing.T) {
	for _, d := range []time.Duration{0, 1, -1, 1500, time.Millisecond, 90 * time.Second, -time.Hour, math.MaxInt64} {
		text, _ := duration(d).MarshalText()
		var back duration
		if err := back.UnmarshalText(text); err != nil || time.Duration(back) != d {
			t.Errorf("%v: %s, %v", d, text, err)
		}
		b := &builder{t: t}
		if p := b.schema(reflect.TypeFor[duration]())["pattern"].(string); !regexp.MustCompile(p).Match(text) {
			t.Errorf("%s does not match %s", text, p)
		}
	}
}

// TestWholeJob fills every field of a job with something, and compares what comes
// back through the JSON form: no field is forgotten on the way.
func TestWholeJob(t *testing.T) {
	var j chronos.Job
	fill(t, reflect.ValueOf(&j).Elem(), "Job")
	j.Schedule = chronos.Cron("*/5 * * * *")
	b, err := json.Marshal(showDefinition(j))
	if err != nil {
		t.Fatal(err)
	}
	var d definitionJSON
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	back, err := d.job(j.ID)
	if err != nil {
		t.Fatal(err)
	}
	j.State, j.Note, j.Version = chronos.JobState{}, "", 0 // not part of the definition
	w := j.Webhook                                         // secrets do not come back
	w.SecretHeaders = map[string]chronos.Secret{"x": chronos.SecretKept}
	w.BasicPassword, w.Bearer, w.Secrets = chronos.SecretKept, chronos.SecretKept, []chronos.Secret{chronos.SecretKept}
	if got, want := fmt.Sprintf("%#v %#v", back, *back.Webhook), fmt.Sprintf("%#v %#v", j, *j.Webhook); strip(got) != strip(want) {
		t.Errorf("got\n%s\nwant\n%s", strip(got), strip(want))
	}
	props := spec.doc["components"].(object)["schemas"].(object)["Definition"].(object)["properties"].(object)
	var fields object
	if err := json.Unmarshal(b, &fields); err != nil {
		t.Fatal(err)
	}
	for name := range props {
		if _, ok := fields[name]; !ok && name != "payload_base64" {
			t.Errorf("%s is in openapi.json, and not in a job that has everything", name)
		}
	}
}

// strip leaves pointers out of a printed value.
func strip(s string) string {
	return regexp.MustCompile(`\(?0x[0-9a-f]+\)?|Schedule:chronos.Schedule\{.*?\}\}, H`).ReplaceAllString(s, "")
}

// fill sets every exported field of a struct.
func fill(t *testing.T, v reflect.Value, path string) {
	t.Helper()
	switch v.Type() {
	case reflect.TypeFor[chronos.Schedule]():
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(epoch))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint64:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(7)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(t, v.Elem(), path)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte("x"))
			return
		}
		fill(t, v.Index(0), path)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(t, key, path)
		fill(t, value, path)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), path+"."+v.Type().Field(i).Name)
		}
	default:
		t.Fatalf("%s: a %v", path, v.Kind())
	}
}
