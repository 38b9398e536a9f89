package chronoshttp

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
)

// changes compares two definitions field by field, in their JSON form.
func changes(before, after definitionJSON) ([]changeJSON, error) {
	a, err := fields(before)
	if err != nil {
		return nil, err
	}
	b, err := fields(after)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	out := []changeJSON{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !reflect.DeepEqual(a[name], b[name]) {
			out = append(out, changeJSON{Field: name, Before: a[name], After: b[name]})
		}
	}
	return out, nil
}

// fields are the leaves of a definition by their path. A list is a leaf.
func fields(d definitionJSON) (map[string]any, error) {
	b, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := json.Unmarshal(b, &tree); err != nil {
		return nil, err
	}
	out := map[string]any{}
	leaves("", tree, out)
	return out, nil
}

// maps of a definition, whose keys are the host's and not fields.
var mapFields = map[string]bool{"labels": true, "placement.labels": true, "webhook.headers": true, "webhook.secret_headers": true}

func leaves(path string, tree map[string]any, out map[string]any) {
	for name, v := range tree {
		full := name
		switch {
		case mapFields[path]:
			full = path + "[" + name + "]"
		case path != "":
			full = path + "." + name
		}
		if sub, ok := v.(map[string]any); ok {
			leaves(full, sub, out)
		} else {
			out[full] = v
		}
	}
}
