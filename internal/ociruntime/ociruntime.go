// Package ociruntime stands in front of an OCI runtime on machines that do not
// grant every capability. Container engines ask for all that the kernel knows
// when a container is to be privileged, as kind's nodes are, and the runtime then
// refuses to start it. The stand-in asks for those that there are.
package ociruntime

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
)

// Name is what hack/docker.sh calls the stand-in.
const Name = "svcbench"

// Denied returns the capabilities that the kernel knows and processes of this
// machine cannot have.
func Denied() ([]string, error) {
	granted, err := Granted()
	if err != nil {
		return nil, err
	}
	known, err := capability.ListSupported()
	if err != nil {
		return nil, fmt.Errorf("list capabilities of the kernel: %w", err)
	}
	var denied []string
	for _, c := range known {
		if name := "CAP_" + strings.ToUpper(c.String()); !slices.Contains(granted, name) {
			denied = append(denied, name)
		}
	}
	return denied, nil
}

// Granted returns the capabilities that processes of this machine can have, in
// the form of OCI documents, such as CAP_NET_ADMIN.
func Granted() ([]string, error) {
	self, err := capability.NewPid2(0)
	if err == nil {
		err = self.Load()
	}
	if err != nil {
		return nil, fmt.Errorf("read own capabilities: %w", err)
	}
	var granted []string
	for _, c := range capability.ListKnown() {
		if self.Get(capability.BOUNDING, c) {
			granted = append(granted, "CAP_"+strings.ToUpper(c.String()))
		}
	}
	return granted, nil
}

// Trim takes capabilities that are not granted out of the documents that a
// command line of the runtime names: config.json of a bundle, and the file with
// the process of an exec. Everything else stays as it is.
func Trim(args, granted []string) error {
	var bundle, process, command string
	for i, arg := range args {
		name, value, joined := strings.Cut(arg, "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch name {
		case "--bundle", "-b":
			bundle = value
		case "--process", "-p":
			process = value
		case "create", "run", "exec":
			if command == "" {
				command = name
			}
		}
	}
	switch {
	case command == "exec" && process != "":
		return edit(process, func(doc map[string]any) { trimProcess(doc, granted) })
	case command == "create", command == "run":
		return edit(filepath.Join(bundle, "config.json"), func(doc map[string]any) {
			if p, ok := doc["process"].(map[string]any); ok {
				trimProcess(p, granted)
			}
		})
	}
	return nil
}

// trimProcess trims the sets of capabilities of a process.
func trimProcess(process map[string]any, granted []string) {
	sets, _ := process["capabilities"].(map[string]any)
	for name, set := range sets {
		names, ok := set.([]any)
		if !ok {
			continue
		}
		sets[name] = slices.DeleteFunc(names, func(c any) bool {
			text, ok := c.(string)
			return ok && !slices.Contains(granted, text)
		})
	}
}

// edit changes a JSON document in its place. That there is none is for the
// runtime to complain of.
func edit(file string, change func(map[string]any)) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	doc := map[string]any{}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber() // or large numbers would lose digits
	if err := decoder.Decode(&doc); err != nil {
		return fmt.Errorf("read %s: %w", file, err)
	}
	change(doc)
	if text, err = json.Marshal(doc); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(file, text, 0o600)
}
