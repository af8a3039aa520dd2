package scenarios

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/invopop/jsonschema"
	"go.yaml.in/yaml/v4"
)

//go:generate go test -count=1 -run=^TestSchema$ . -args -update

// schemaVersion is the newest JSON Schema draft that the YAML support of
// common editors understands.
const schemaVersion = "http://json-schema.org/draft-07/schema#"

// durationPattern matches what time.ParseDuration reads, without a sign.
const durationPattern = `^([0-9]+(\.[0-9]*)?(ns|us|µs|ms|s|m|h))+$`

// Schema returns the JSON Schema (draft 7) of scenario files, for editors.
// It is generated from the Go types and the table of fields. It knows every
// rule for single fields, but only Parse checks the rules between fields.
func Schema() ([]byte, error) {
	g := &schemaGenerator{fields: map[string]field{}}
	for _, f := range fields() {
		g.fields[f.path] = f
	}
	root, err := g.schema(reflect.TypeFor[Scenario](), "")
	if err != nil {
		return nil, fmt.Errorf("generate the JSON Schema: %w", err)
	}
	root.Version = schemaVersion
	root.Title = "svcbench scenario"
	root.Description = "What svcbench measures: " + APIVersion + "."
	data, err := json.MarshalIndent(root, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode the JSON Schema: %w", err)
	}
	return append(data, '\n'), nil
}

// schemaGenerator walks the types with their paths, because the limits of a
// field depend on where its type is used. Nothing is shared by reference:
// draft 7 ignores what stands beside a $ref, such as a description.
type schemaGenerator struct{ fields map[string]field }

func (g *schemaGenerator) schema(t reflect.Type, path string) (*jsonschema.Schema, error) {
	s := &jsonschema.Schema{}
	f := g.fields[path]
	var err error
	switch {
	case t == pointsType:
		err = g.points(s, path)
	case t == durationType:
		s.Type, s.Pattern = "string", durationPattern
	case t.Kind() == reflect.Pointer:
		return g.schema(t.Elem(), path)
	case t.Kind() == reflect.Struct:
		err = g.object(s, t, path)
	case t.Kind() == reflect.Slice:
		err = g.array(s, t, path)
	case t.Kind() == reflect.String:
		g.text(s, f)
	case t.Kind() == reflect.Float64:
		s.Type = "number"
		g.limits(s, f)
	case t.Kind() == reflect.Bool:
		s.Type = "boolean"
	default:
		s.Type = "integer"
		g.limits(s, f)
	}
	if err != nil {
		return nil, err
	}
	s.Description = describeField(f)
	if f.def != "" {
		if err := yaml.Load([]byte(f.def), &s.Default); err != nil {
			return nil, fmt.Errorf("default of %s: %w", path, err)
		}
	}
	return s, nil
}

// describeField adds a default that is not a value to the explanation.
func describeField(f field) string {
	if f.defNote == "" {
		return f.about
	}
	return f.about + " Default: " + f.defNote + "."
}

func (g *schemaGenerator) object(s *jsonschema.Schema, t reflect.Type, path string) error {
	s.Type = "object"
	s.AdditionalProperties = jsonschema.FalseSchema
	s.Properties = jsonschema.NewProperties()
	for _, sf := range fieldsOf(t) {
		property, err := g.schema(t.Field(sf.index).Type, under(path, sf.name))
		if err != nil {
			return err
		}
		s.Properties.Set(sf.name, property)
		if sf.required {
			s.Required = append(s.Required, sf.name)
		}
	}
	return nil
}

func (g *schemaGenerator) array(s *jsonschema.Schema, t reflect.Type, path string) error {
	s.Type = "array"
	s.MinItems = new(uint64(1))
	if most := g.fields[path].maxItems; most > 0 {
		s.MaxItems = new(uint64(most))
	}
	s.UniqueItems = true
	var err error
	s.Items, err = g.schema(t.Elem(), path+"[]")
	return err
}

// points is the only field with two forms.
func (g *schemaGenerator) points(s *jsonschema.Schema, path string) error {
	list, cross := &jsonschema.Schema{}, &jsonschema.Schema{}
	if err := g.array(list, pointsType, path); err != nil {
		return err
	}
	if err := g.object(cross, reflect.TypeFor[axes](), path); err != nil {
		return err
	}
	cross.MinProperties = new(uint64(1))
	s.OneOf = []*jsonschema.Schema{list, cross}
	return nil
}

func (g *schemaGenerator) text(s *jsonschema.Schema, f field) {
	s.Type = "string"
	for _, v := range f.enum {
		s.Enum = append(s.Enum, v)
	}
	if f.pattern != nil {
		s.Pattern = f.pattern.String()
	}
	if f.maxLen > 0 {
		s.MaxLength = new(uint64(f.maxLen))
	}
}

func (g *schemaGenerator) limits(s *jsonschema.Schema, f field) {
	number := func(v float64) json.Number { return json.Number(strconv.FormatFloat(v, 'f', -1, 64)) }
	if f.above {
		s.ExclusiveMinimum = number(f.min)
	} else {
		s.Minimum = number(f.min)
	}
	if f.max > 0 {
		s.Maximum = number(f.max)
	}
}
