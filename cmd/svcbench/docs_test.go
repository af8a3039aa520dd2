package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/invopop/jsonschema"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"svcbench/scenarios"
)

const scenarioPage = "../../docs/scenarios.md"

var (
	tablePattern = regexp.MustCompile(`(?s)<!-- fields ?([a-zA-Z.]*) -->\n.*?<!-- end -->`)
	kindsPattern = regexp.MustCompile(`(?s)<!-- kinds -->\n.*?<!-- end -->`)
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
	want = kindsPattern.ReplaceAllStringFunc(want, func(string) string {
		var table strings.Builder
		table.WriteString("<!-- kinds -->\n| kind | a change |\n|---|---|\n")
		for _, k := range scenarios.ChurnKinds() {
			fmt.Fprintf(&table, "| `%s` | %s |\n", k, k.About())
		}
		return table.String() + "<!-- end -->"
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
	case s.Type == "array" && s.Items.Type == "string" && len(s.Items.Enum) == 0:
		return "list of text"
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
	case s.Type == "boolean":
		return "`true`, `false`"
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

// TestDocsCommands checks that every command and flag is explained in
// docs/cli.md, and that what code blocks of the documentation show can be run.
func TestDocsCommands(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli.md")
	if err != nil {
		t.Fatal(err)
	}
	streams := Streams{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}
	var visit func(cmd *cobra.Command)
	visit = func(cmd *cobra.Command) {
		if !cmd.IsAvailableCommand() || cmd.Name() == "completion" || cmd.Name() == "help" {
			return
		}
		if !strings.Contains(string(page), "`"+cmd.CommandPath()) && !strings.Contains(string(page), "\n"+cmd.CommandPath()) {
			t.Errorf("docs/cli.md does not explain %q", cmd.CommandPath())
		}
		cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !f.Hidden && !strings.Contains(string(page), "--"+f.Name) && !strings.Contains(string(page), "`-"+f.Shorthand+" ") {
				t.Errorf("docs/cli.md does not explain %s --%s", cmd.CommandPath(), f.Name)
			}
		})
		for _, sub := range cmd.Commands() {
			visit(sub)
		}
	}
	for _, cmd := range newRoot(streams).Commands() {
		visit(cmd)
	}

	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for _, file := range append(pages, "../../README.md") {
		for _, line := range shownCommands(t, file) {
			shown++
			checkCommand(t, newRoot(streams), file, line)
		}
	}
	if shown == 0 {
		t.Error("no commands were found")
	}
}

// shownCommands returns the lines of sh blocks that call svcbench or make.
func shownCommands(t *testing.T, file string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for line := range strings.Lines(block[1]) {
			line, _, _ = strings.Cut(line, " #")
			line, _, _ = strings.Cut(line, " |")
			line, _, _ = strings.Cut(line, " >")
			line = strings.TrimPrefix(strings.TrimSpace(line), "sudo ")
			line = strings.TrimPrefix(line, "bin/")
			if strings.HasPrefix(line, "svcbench ") || strings.HasPrefix(line, "make ") {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// checkCommand reports what the program or make would not understand.
func checkCommand(t *testing.T, root *cobra.Command, file, line string) {
	t.Helper()
	words := strings.Fields(line)
	if words[0] == "make" {
		makefile, err := os.ReadFile("../../Makefile")
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(makefile), "\n"+words[1]+":") {
			t.Errorf("%s: %s: no such target", file, line)
		}
		return
	}
	cmd, rest, err := root.Find(words[1:])
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	if err == nil {
		err = cmd.ValidateArgs(cmd.Flags().Args())
	}
	if err != nil {
		t.Errorf("%s: %s: %v", file, line, err)
	}
}
