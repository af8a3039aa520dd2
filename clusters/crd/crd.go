// Package crd makes custom resources known to an API server. It does without the
// generated client for them, which would be larger than all the rest.
package crd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// definitions is where the API server keeps CustomResourceDefinitions.
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// Establish makes the custom resources of YAML files, and returns when the API
// server serves them, in the order of the files.
func Establish(ctx context.Context, api rest.Interface, files []string) ([]Definition, error) {
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(8) // as many as the API server works on at once, and no more
	defined := make([]Definition, len(files))
	for i, file := range files {
		all.Go(func() (err error) {
			if defined[i], err = establish(ctx, api, file); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			return nil
		})
	}
	return defined, all.Wait()
}

// establish makes one custom resource and waits until it is served.
func establish(ctx context.Context, api rest.Interface, file string) (d Definition, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return d, err
	}
	body, err := yaml.YAMLToJSON(text)
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(body, &d); err != nil {
		return d, err
	}
	err = api.Post().AbsPath(definitions).SetHeader("Content-Type", runtime.ContentTypeJSON).
		SetHeader("Accept", runtime.ContentTypeJSON).Body(body).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return d, err
	}
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		answer, err := api.Get().AbsPath(definitions, d.Metadata.Name).SetHeader("Accept", runtime.ContentTypeJSON).DoRaw(ctx)
		if err == nil {
			err = json.Unmarshal(answer, &d)
		}
		if err == nil && d.established() {
			return d, nil
		}
		select {
		case <-retry.C:
		case <-ctx.Done():
			return d, errors.Join(context.Cause(ctx), err)
		}
	}
}

// Definition is what matters of a CustomResourceDefinition.
type Definition struct {
	Metadata struct{ Name string }
	Spec     struct {
		Group    string
		Names    struct{ Plural string }
		Versions []struct{ Name string }
	}
	Status struct {
		Conditions []struct{ Type, Status string }
	}
}

func (d Definition) established() bool {
	for _, c := range d.Status.Conditions {
		if c.Type == "Established" && c.Status == "True" {
			return true
		}
	}
	return false
}
