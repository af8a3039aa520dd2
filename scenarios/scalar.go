package scenarios

import (
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// Numbers are decimal. What else YAML knows (octal 010, 0x10, 1_000, .nan)
// is read differently by different YAML versions, so it is refused.
var (
	wholePattern   = regexp.MustCompile(`^[-+]?[0-9]+$`)
	decimalPattern = regexp.MustCompile(`^[-+]?[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?$`)
	octalPattern   = regexp.MustCompile(`^[-+]?0[0-9]`)
)

// scalar decodes one value into v, which is text, a number, a truth or a duration,
// and checks it against the table of fields.
func (d *decoder) scalar(at, n *yaml.Node, v reflect.Value, path string) bool {
	if n.Kind != yaml.ScalarNode {
		return d.wrongType(at, n, v, path)
	}
	f := d.fields[anyIndex(path)]
	switch {
	case v.Type() == durationType:
		return d.duration(at, n, v, path, f)
	case v.Kind() == reflect.String:
		return d.text(at, n, v, path, f)
	case v.Kind() == reflect.Float64:
		return d.float(at, n, v, path, f)
	case v.Kind() == reflect.Bool:
		return d.truth(at, n, v, path)
	default:
		return d.whole(at, n, v, path, f)
	}
}

func (d *decoder) text(at, n *yaml.Node, v reflect.Value, path string, f field) bool {
	if n.ShortTag() != "!!str" {
		return d.wrongType(at, n, v, path)
	}
	p := Problem{Path: path, Found: describe(n), Expected: f.expected(v.Type())}
	switch {
	case len(f.enum) > 0 && !slices.Contains(f.enum, n.Value):
		p.Message = path + " " + f.wrong
		p.Suggestion = nearest(n.Value, f.enum)
	case f.maxLen > 0 && utf8.RuneCountInString(n.Value) > f.maxLen:
		p.Message = path + " is too long"
	case f.pattern != nil && !f.pattern.MatchString(n.Value):
		p.Message = path + " is not allowed"
	default:
		v.SetString(n.Value)
		return true
	}
	d.report(at, p)
	return false
}

func (d *decoder) whole(at, n *yaml.Node, v reflect.Value, path string, f field) bool {
	if !isNumber(n) || !wholePattern.MatchString(n.Value) || octalPattern.MatchString(n.Value) {
		return d.wrongType(at, n, v, path)
	}
	// The limits are compared as floats, which is exact below 2^53; above
	// that only the seed goes, which has no upper limit.
	approximate, err := strconv.ParseFloat(n.Value, 64)
	ok := err == nil && f.within(approximate)
	switch {
	case ok && v.CanInt():
		var exact int64
		exact, err = strconv.ParseInt(n.Value, 10, 64)
		v.SetInt(exact)
	case ok:
		var exact uint64
		exact, err = strconv.ParseUint(strings.TrimPrefix(n.Value, "+"), 10, 64)
		v.SetUint(exact)
	}
	if !ok || err != nil {
		return d.outOfRange(at, n, v, path, f)
	}
	return true
}

func (d *decoder) float(at, n *yaml.Node, v reflect.Value, path string, f field) bool {
	if !isNumber(n) || !decimalPattern.MatchString(n.Value) {
		return d.wrongType(at, n, v, path)
	}
	number, err := strconv.ParseFloat(n.Value, 64)
	if err != nil || !f.within(number) {
		return d.outOfRange(at, n, v, path, f)
	}
	v.SetFloat(number)
	return true
}

// truth decodes true and false. What else YAML versions take for one of them
// (True, yes, on) is refused, as they do not agree.
func (d *decoder) truth(at, n *yaml.Node, v reflect.Value, path string) bool {
	if n.ShortTag() != "!!bool" || n.Style&yaml.TaggedStyle != 0 || n.Value != "true" && n.Value != "false" {
		return d.wrongType(at, n, v, path)
	}
	v.SetBool(n.Value == "true")
	return true
}

func (d *decoder) duration(at, n *yaml.Node, v reflect.Value, path string, f field) bool {
	var got Duration
	if n.ShortTag() != "!!str" || got.UnmarshalText([]byte(n.Value)) != nil {
		p := Problem{Path: path, Message: path + " is not a duration", Found: describe(n), Expected: f.expected(v.Type())}
		if n.ShortTag() == "!!null" {
			return d.wrongType(at, n, v, path)
		}
		if wholePattern.MatchString(n.Value) && len(n.Value) < 5 {
			p.Suggestion = n.Value + "s"
		}
		d.report(at, p)
		return false
	}
	if !f.within(got.Std().Seconds()) {
		return d.outOfRange(at, n, v, path, f)
	}
	v.SetInt(int64(got))
	return true
}

// outOfRange reports a number or duration outside its limits.
func (d *decoder) outOfRange(at, n *yaml.Node, v reflect.Value, path string, f field) bool {
	d.report(at, Problem{Path: path, Message: path + " is out of range", Found: describe(n), Expected: f.expected(v.Type())})
	return false
}

// isNumber reports whether YAML takes n for a number. Digits too many for
// YAML's own integers are still one.
func isNumber(n *yaml.Node) bool {
	tag := n.ShortTag()
	return tag == "!!int" || tag == "!!float"
}

// describe says what a node is, for messages: a scalar as it is written.
func describe(n *yaml.Node) string {
	tag := n.ShortTag()
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Kind != yaml.ScalarNode:
		return "an alias"
	case tag == "!!null":
		return "nothing"
	case n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return strconv.Quote(truncate(n.Value))
	case n.Style&yaml.TaggedStyle != 0:
		return clip(tag + " " + n.Value)
	default:
		return clip(n.Value)
	}
}
