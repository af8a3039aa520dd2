package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"

	"svcbench/scenarios"
)

const scenarioPage = "../../docs/scenarios.md"

var (
	tablePattern = regexp.MustCompile(`(?s)<!-- fields ?([a-zA-Z.]*) -->\n.*?<!-- end -->`)
	yamlPattern  = regexp.MustCompile("(?s)```yaml\n(# yaml-language-server.*?)```")
)

// TestDocsScenarioFields checks that the tables of docs/scenarios.md are made
// from the schema; -update writes them.
func TestDocsScenarioFields(t *testing.T) {
	page, err := os.ReadFile(scenarioPage)
	if err != nil {
		t.Fatal(err)
	}
	root := schemaOfScenarios(t)
	seen := map[string]bool{}
	want := tablePattern.ReplaceAllStringFunc(string(page), func(found string) string {
		path := tablePattern.FindStringSubmatch(found)[1]
		var table strings.Builder
		writeTable(&table, seen, objectAt(t, root, path), path)
		marker := strings.TrimSuffix("<!-- fields "+path, " ") + " -->"
		return marker + "\n" + table.String() + "<!-- end -->"
	})
	if *update {
		if err := os.WriteFile(scenarioPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(page) {
		t.Errorf("%s is out of date: go test ./cmd/svcbench -run TestDocs -update", scenarioPage)
	}
	for _, path := range leaves(root, "") {
		if !seen[path] {
			t.Errorf("%s explains no field %s", scenarioPage, path)
		}
	}
}

// TestDocsExample checks that the example on the page is a valid scenario.
func TestDocsExample(t *testing.T) {
	page, err := os.ReadFile(scenarioPage)
	if err != nil {
		t.Fatal(err)
	}
	example := yamlPattern.FindSubmatch(page)
	if example == nil {
		t.Fatal("there is no example")
	}
	if _, err := scenarios.Parse(scenarioPage, example[1]); err != nil {
		t.Error(err)
	}
}

func schemaOfScenarios(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := scenarios.Schema()
	if err != nil {
		t.Fatal(err)
	}
	root := new(jsonschema.Schema)
	if err := json.Unmarshal(data, root); err != nil {
		t.Fatal(err)
	}
	return root
}

// objectAt returns the object at a path. Of the two forms of the scale axis
// it is the points themselves.
func objectAt(t *testing.T, s *jsonschema.Schema, path string) *jsonschema.Schema {
	t.Helper()
	if path == "" {
		return s
	}
	for part := range strings.SplitSeq(path, ".") {
		next, ok := s.Properties.Get(part)
		if !ok {
			t.Fatalf("no field %s in the schema", path)
		}
		s = next
	}
	if len(s.OneOf) > 0 {
		return s.OneOf[0].Items
	}
	return s
}

// leaves lists the fields below an object that are no objects themselves.
func leaves(s *jsonschema.Schema, path string) []string {
	var all []string
	for p := s.Properties.Oldest(); p != nil; p = p.Next() {
		at := strings.TrimPrefix(path+"."+p.Key, ".")
		if p.Value.Type == "object" {
			all = append(all, leaves(p.Value, at)...)
		} else {
			all = append(all, at)
		}
	}
	return all
}

func writeTable(b *strings.Builder, seen map[string]bool, object *jsonschema.Schema, path string) {
	required := map[string]bool{}
	for _, name := range object.Required {
		required[name] = true
	}
	b.WriteString("| field | value | default | meaning |\n|---|---|---|---|\n")
	for p := object.Properties.Oldest(); p != nil; p = p.Next() {
		at := strings.TrimPrefix(path+"."+p.Key, ".")
		seen[at] = true
		def := "-"
		switch {
		case required[p.Key]:
			def = "required"
		case p.Value.Default != nil:
			text, _ := json.Marshal(p.Value.Default)
			def = "`" + strings.NewReplacer(`"`, "", ",", ", ").Replace(string(text)) + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", p.Key, valueText(p.Value), def, strings.ReplaceAll(p.Value.Description, "|", `\|`))
	}
}

// valueText says in words what a field may hold.
func valueText(s *jsonschema.Schema) string {
	switch {
	case len(s.OneOf) > 0:
		return "see below"
	case s.Type == "object":
		return "see below"
	case s.Type == "array":
		return "list of " + valueText(s.Items)
	case len(s.Enum) > 0:
		var values []string
		for _, v := range s.Enum {
			values = append(values, fmt.Sprintf("`%v`", v))
		}
		return strings.Join(values, ", ")
	case s.Type == "string" && strings.Contains(s.Pattern, "(ns|us|"):
		return "duration"
	case s.Type == "string":
		return "text"
	}
	kind := map[string]string{"integer": "whole number", "number": "number"}[s.Type]
	low := string(s.Minimum)
	switch {
	case s.ExclusiveMinimum != "":
		return fmt.Sprintf("%s above %s, at most %s", kind, s.ExclusiveMinimum, s.Maximum)
	case s.Maximum != "":
		return fmt.Sprintf("%s, %s to %s", kind, low, s.Maximum)
	default:
		return fmt.Sprintf("%s, at least %s", kind, low)
	}
}
