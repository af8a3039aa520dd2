package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"svcbench/internal/failure"
)

// parseHint is the next step for somebody whose file is not right.
const parseHint = "every field is explained in docs/scenarios.md; `svcbench schema` prints the JSON Schema for editors"

// Parse reads one scenario from YAML and fills in the defaults. The file's
// name is for messages only.
//
// It is strict, and reports every problem of a file at once: the error wraps
// a Problems and has the exit code failure.Usage. A scenario that Parse
// returns is complete and valid.
func Parse(file string, data []byte) (*Scenario, error) {
	s, err := parse(file, data)
	if err != nil {
		return nil, failure.New(failure.Usage, err, parseHint)
	}
	return s, nil
}

func parse(file string, data []byte) (*Scenario, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	d := newDecoder(file, nil)
	if p, bad := unreadable(data); bad {
		d.report(nil, p)
		return nil, d.problems()
	}
	d.lines = splitLines(string(data))
	root := d.document(data)
	if root == nil {
		return nil, d.problems()
	}
	var s Scenario
	if d.value(root, reflect.ValueOf(&s).Elem(), "") {
		s.Default()
		d.check(&s)
	}
	if err := d.problems(); err != nil {
		return nil, err
	}
	return &s, nil
}

// Marshal writes s as YAML that Parse reads back to an equal value, once the
// defaults are filled in.
func Marshal(s *Scenario) ([]byte, error) {
	data, err := yaml.Dump(s)
	if err != nil {
		return nil, fmt.Errorf("write scenario %q as YAML: %w", s.Name, err)
	}
	return data, nil
}

// document returns the root of the only document in data, or nil after
// reporting why there is none.
func (d *decoder) document(data []byte) *yaml.Node {
	var documents []yaml.Node
	err := yaml.Load(data, &documents, yaml.WithAllDocuments(), yaml.WithUniqueKeys(false))
	start := &yaml.Node{Line: 1, Column: 1}
	const expected = "a scenario, beginning with apiVersion: " + APIVersion
	switch {
	case err != nil:
		d.report(nil, d.syntaxError(err))
		return nil
	case len(documents) == 0 || len(documents) == 1 && blank(&documents[0]):
		d.report(start, Problem{Message: "the file is empty", Expected: expected})
		return nil
	case len(documents) > 1:
		d.report(&documents[1], Problem{Message: "a second document begins here", Expected: "one scenario in a file"})
		return nil
	}
	return documents[0].Content[0]
}

// blank reports whether a document has no content.
func blank(document *yaml.Node) bool {
	return len(document.Content) == 0 || document.Content[0].Kind == yaml.ScalarNode && document.Content[0].ShortTag() == "!!null"
}

// syntaxError is a Problem from an error of the YAML library.
func (d *decoder) syntaxError(err error) Problem {
	p := Problem{Message: "not valid YAML: " + err.Error(), Line: 1, Column: 1}
	syntax, ok := errors.AsType[*yaml.LoadError](err)
	if !ok {
		return p
	}
	p.Message = "not valid YAML: " + syntax.Message
	if syntax.ContextMsg != "" {
		p.Message += " " + syntax.ContextMsg
	}
	p.Line, p.Column = max(syntax.Mark.Line, 1), max(syntax.Mark.Column, 1)
	// At the end of the file the library stands behind the last line.
	if last := len(d.lines); p.Line > last && last > 0 {
		p.Line, p.Column = last, utf8.RuneCountInString(d.lines[last-1])+1
	}
	return p
}

// unreadable finds what keeps data from being text at all, of which the YAML
// library gives no position.
func unreadable(data []byte) (Problem, bool) {
	if len(data) > MaxFileSize {
		return Problem{Line: 1, Column: 1, Message: "the file is too large for a scenario",
			Found: "more than " + fmt.Sprint(MaxFileSize) + " bytes"}, true
	}
	line, column := 1, 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return Problem{Line: line, Column: column, Message: "the file is not UTF-8 text",
				Found: fmt.Sprintf("byte 0x%02x", data[i])}, true
		case r < ' ' && r != '\t' && r != '\n' && r != '\r', r == 0xfffe, r == 0xffff:
			return Problem{Line: line, Column: column, Message: "control characters are not allowed",
				Found: fmt.Sprintf("U+%04X", r)}, true
		case r == '\n':
			line, column = line+1, 1
		default:
			column++
		}
		i += size
	}
	return Problem{}, false
}

// splitLines splits text where YAML counts a new line.
func splitLines(text string) []string {
	breaks := strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n")
	return strings.Split(strings.TrimSuffix(breaks.Replace(text), "\n"), "\n")
}
