package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"sigs.k8s.io/yaml"

	"svcbench/internal/failure"
	"svcbench/scenarios"
)

// verify makes sure that kube-proxy runs with the configuration that it was meant
// to have: kind says nothing of patches that had no effect.
func (k kubeProxy) verify(ctx context.Context, p *proxy) error {
	text, err := p.get(ctx, "/configz")
	if err != nil {
		return fmt.Errorf("ask kube-proxy for its configuration: %w", err)
	}
	var answer map[string]map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		return fmt.Errorf("read the configuration of kube-proxy: %w", err)
	}
	meant := map[string]any{}
	if err := yaml.Unmarshal([]byte(p.program.Config), &meant); err != nil {
		return fmt.Errorf("read the configuration meant for kube-proxy: %w", err)
	}
	// A flag gives the name of the node.
	for _, given := range []string{"apiVersion", "kind", "hostnameOverride"} {
		delete(meant, given)
	}
	// It forgets what is said of other modes.
	for _, mode := range scenarios.Modes() {
		if mode != k.cluster.config.Mode {
			delete(meant, string(mode))
		}
	}
	running, ok := answer["kubeproxy.config.k8s.io"]
	if !ok {
		return errors.New("kube-proxy does not show its configuration")
	}
	if key := differs(meant, running); key != "" {
		return failure.New(failure.Invalid, fmt.Errorf("kube-proxy does not run as it was configured: %s differs", key), "")
	}
	return nil
}

// differs returns the first key of meant whose value in running is another; empty
// if there is none. What running has besides are defaults, for which zero values
// of meant stand too, but for those of zeroed.
func differs(meant, running map[string]any) string {
	for _, key := range slices.Sorted(maps.Keys(meant)) {
		want, got := meant[key], running[key]
		if inner, ok := want.(map[string]any); ok {
			values, _ := got.(map[string]any)
			if at := differs(inner, values); at != "" {
				return key + "." + at
			}
			continue
		}
		if blank(want) && (blank(got) || !slices.Contains(zeroed, key)) {
			continue
		}
		if !reflect.DeepEqual(want, got) {
			return fmt.Sprintf("%s (%v instead of %v)", key, got, want)
		}
	}
	return ""
}

// zeroed are the settings whose zero means zero.
var zeroed = []string{"maxPerCore", "min", "tcpEstablishedTimeout", "tcpCloseWaitTimeout"}

// blank reports whether a JSON value is a zero one.
func blank(v any) bool {
	if v == nil || v == "0s" {
		return true
	}
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		return r.Len() == 0
	default:
		return r.IsZero()
	}
}
