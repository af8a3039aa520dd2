package scenarios

import (
	"fmt"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// decoder fills Go values from a tree of YAML nodes. It is stricter than the
// YAML library (no nulls, no YAML 1.1 numbers, no merge keys), goes on after
// a mistake, and remembers where every field was written, for the checks
// that concern more than one field.
type decoder struct {
	file   string
	lines  []string
	fields map[string]field
	marks  map[string]*mark
	found  Problems
}

// mark is where a field was written.
type mark struct {
	// path is the field as written; points made from lists share the mark
	// of the list's item.
	path string
	// key is the node of the field's name, or its value in a list.
	key, value *yaml.Node
	// bad is true when a problem has been reported for the field or,
	// behind a misspelt name, probably belongs to it.
	bad bool
}

// newDecoder returns a decoder for a file. The lines are for excerpts.
func newDecoder(file string, lines []string) *decoder {
	d := &decoder{file: file, lines: lines, fields: map[string]field{}, marks: map[string]*mark{}}
	for _, f := range fields() {
		d.fields[f.path] = f
	}
	return d
}

// problems returns what was found in the order of the source, or nil.
func (d *decoder) problems() error {
	d.found = sortProblems(d.found)
	if len(d.found) == 0 {
		return nil
	}
	return d.found
}

// report adds a problem at a node; File and position are filled in.
func (d *decoder) report(at *yaml.Node, p Problem) {
	p.File = d.file
	if at != nil {
		p.Line, p.Column = max(at.Line, 1), max(at.Column, 1)
	}
	if p.Line >= 1 && p.Line <= len(d.lines) {
		p.source = d.lines[p.Line-1]
	}
	d.found = append(d.found, p)
	d.spoil(p.Path)
}

// spoil marks a field as not to be relied on, and the list it is part of.
func (d *decoder) spoil(path string) {
	for {
		if m := d.marks[path]; m != nil {
			m.bad = true
		} else {
			d.marks[path] = &mark{path: path, bad: true}
		}
		list := strings.LastIndexByte(path, '[')
		if list < 0 || !strings.HasSuffix(path, "]") {
			return
		}
		path = path[:list]
	}
}

// sound reports whether no problem was found in any of the fields.
func (d *decoder) sound(paths ...string) bool {
	for _, p := range paths {
		if m := d.marks[p]; m != nil && m.bad {
			return false
		}
	}
	return true
}

// mark remembers where the field path was written.
func (d *decoder) mark(path string, key, value *yaml.Node) {
	bad := d.marks[path] != nil && d.marks[path].bad
	d.marks[path] = &mark{path: path, key: key, value: value, bad: bad}
}

// value decodes one node into v and reports whether it could.
func (d *decoder) value(n *yaml.Node, v reflect.Value, path string) bool {
	at := n
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch {
	case v.Type() == pointsType:
		return d.points(n, v.Addr().Interface().(*Points), path)
	case v.Kind() == reflect.Pointer:
		fresh := reflect.New(v.Type().Elem())
		v.Set(fresh)
		return d.value(at, fresh.Elem(), path)
	case v.Kind() == reflect.Struct:
		return d.mapping(at, n, v, path)
	case v.Kind() == reflect.Slice:
		return d.list(at, n, v, path)
	default:
		return d.scalar(at, n, v, path)
	}
}

// wrongType reports that n is not what a field of v's type needs.
func (d *decoder) wrongType(at, n *yaml.Node, v reflect.Value, path string) bool {
	f := d.fields[anyIndex(path)]
	p := Problem{Path: path, Message: label(path) + " has the wrong type", Found: describe(n), Expected: f.expected(v.Type())}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		p.Message = label(path) + " is empty"
		p.Found = ""
		if path != "" && !strings.HasSuffix(path, "]") {
			p.Expected += ", or no such line"
		}
	}
	d.report(at, p)
	return false
}

// mapping decodes a YAML mapping into the struct v.
func (d *decoder) mapping(at, n *yaml.Node, v reflect.Value, path string) bool {
	if n.Kind != yaml.MappingNode || n.ShortTag() != "!!map" {
		return d.wrongType(at, n, v, path)
	}
	known := fieldsOf(v.Type())
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := key.Value
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			d.badKey(key, path)
		case first[name] != nil:
			d.report(key, Problem{Path: under(path, name), Message: label(under(path, name)) + " is written twice",
				Expected: fmt.Sprintf("one; the first is in line %d", first[name].Line)})
		default:
			first[name] = key
			d.field(key, value, v, path, known)
		}
	}
	for _, f := range known {
		full := under(path, f.name)
		if f.required && first[f.name] == nil && d.sound(full) {
			d.report(d.keyOf(path, at), Problem{Path: full, Message: label(full) + " is missing",
				Expected: d.fields[anyIndex(full)].expected(f.typ)})
		}
	}
	return true
}

// field decodes the value of one key of a mapping into its field of v.
func (d *decoder) field(key, value *yaml.Node, v reflect.Value, path string, known []structField) {
	var all []string
	for _, f := range known {
		if f.name == key.Value {
			full := under(path, f.name)
			d.mark(full, key, value)
			d.value(value, v.Field(f.index), full)
			return
		}
		all = append(all, f.name)
	}
	p := Problem{Path: under(path, key.Value), Found: clip(key.Value), Expected: join(all, ", ", " or ")}
	p.Message = "unknown field"
	if path != "" {
		p.Message += " in " + path
	}
	if p.Suggestion = nearest(key.Value, all); p.Suggestion != "" {
		d.spoil(under(path, p.Suggestion))
	}
	d.report(key, p)
}

// badKey reports a key that cannot be the name of a field.
func (d *decoder) badKey(key *yaml.Node, path string) {
	p := Problem{Path: path, Message: "a field name must be plain text", Found: describe(key)}
	if key.ShortTag() == "!!merge" {
		p = Problem{Path: path, Message: "merge keys are not part of the format", Found: "<<", Expected: "the fields themselves"}
	}
	d.report(key, p)
}

// keyOf returns the node at which to complain about a field as a whole.
func (d *decoder) keyOf(path string, otherwise *yaml.Node) *yaml.Node {
	if m := d.marks[path]; m != nil && m.key != nil {
		return m.key
	}
	return otherwise
}

// list decodes a YAML sequence into the slice v. Items that are wrong stay
// in the slice as zero values, so that indices agree with the file.
func (d *decoder) list(at, n *yaml.Node, v reflect.Value, path string) bool {
	if n.Kind != yaml.SequenceNode || n.ShortTag() != "!!seq" {
		return d.wrongType(at, n, v, path)
	}
	if !d.length(at, len(n.Content), path) {
		return false
	}
	items := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	first := map[any]*yaml.Node{}
	for i, node := range n.Content {
		item := items.Index(i)
		full := fmt.Sprintf("%s[%d]", path, i)
		d.mark(full, node, node)
		if !d.value(node, item, full) || item.Kind() == reflect.Struct {
			continue
		}
		if before := first[item.Interface()]; before != nil {
			d.report(node, Problem{Path: full, Message: fmt.Sprintf("%s lists %v twice", path, item.Interface()),
				Expected: fmt.Sprintf("each once; the first is in line %d", before.Line)})
			continue
		}
		first[item.Interface()] = node
	}
	v.Set(items)
	return true
}

// length checks the number of items of a list.
func (d *decoder) length(at *yaml.Node, n int, path string) bool {
	most := d.fields[anyIndex(path)].maxItems
	switch {
	case n == 0:
		d.report(at, Problem{Path: path, Message: path + " is an empty list", Expected: "at least one item, or no such line"})
		return false
	case most > 0 && n > most:
		d.report(at, Problem{Path: path, Message: path + " is too long", Found: fmt.Sprintf("%d items", n),
			Expected: fmt.Sprintf("at most %d", most)})
		return false
	}
	return true
}

// points decodes both forms of the scale axis.
func (d *decoder) points(n *yaml.Node, p *Points, path string) bool {
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.SequenceNode:
		var list []Point
		ok := d.list(d.valueOf(path, n), n, reflect.ValueOf(&list).Elem(), path)
		*p = list
		return ok
	case yaml.MappingNode:
		return d.crossProduct(n, p, path)
	default:
		return d.wrongType(d.valueOf(path, n), n, reflect.ValueOf(p).Elem(), path)
	}
}

// valueOf returns the node of the field's value as it was written, which is
// the alias where n is what the alias stands for.
func (d *decoder) valueOf(path string, otherwise *yaml.Node) *yaml.Node {
	if m := d.marks[path]; m != nil && m.value != nil {
		return m.value
	}
	return otherwise
}

// crossProduct decodes the mapping form of the scale axis. The points share
// the marks of the list items they come from.
func (d *decoder) crossProduct(n *yaml.Node, p *Points, path string) bool {
	at := d.valueOf(path, n)
	var a axes
	if !d.mapping(at, n, reflect.ValueOf(&a).Elem(), path) {
		return false
	}
	if len(a.list()) == 0 {
		if d.sound(path+".services", path+".endpoints", path+".placement", path+".batching") {
			d.report(at, Problem{Path: path, Message: path + " has no points", Expected: "lists of services, endpoints, placement or batching, or no such line"})
		}
		return false
	}
	if size := a.size(); size > MaxPoints {
		d.report(at, Problem{Path: path, Message: path + " is too long", Found: fmt.Sprintf("%d points", size),
			Expected: fmt.Sprintf("at most %d", MaxPoints)})
		return false
	}
	a.each(func(point Point, at map[string]int) {
		i := len(*p)
		*p = append(*p, point)
		for name, k := range at {
			d.marks[fmt.Sprintf("%s[%d].%s", path, i, name)] = d.marks[fmt.Sprintf("%s.%s[%d]", path, name, k)]
		}
	})
	return true
}

// structField is one field of a struct as YAML sees it.
type structField struct {
	name     string
	index    int
	typ      reflect.Type
	required bool
}

// fieldsOf lists the fields of a struct type by their yaml tags. A field
// without omitempty is required.
func fieldsOf(t reflect.Type) []structField {
	var out []structField
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		typ := t.Field(i).Type
		if typ.Kind() == reflect.Pointer {
			typ = typ.Elem()
		}
		out = append(out, structField{name: name, index: i, typ: typ, required: options != "omitempty"})
	}
	return out
}

// under is the path of a field of a mapping.
func under(path, name string) string {
	if path == "" {
		return clip(name)
	}
	return path + "." + clip(name)
}

// label is how messages call the field path; the root has no name.
func label(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}
