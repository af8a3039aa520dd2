package local

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
	"sigs.k8s.io/yaml"
)

// definitions is where the API server keeps CustomResourceDefinitions.
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

// define makes the custom resources that the proxy needs, and returns when the
// API server serves them.
func (c *cluster) define(ctx context.Context) error {
	files := c.proxy.program.Definitions
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not established after %v", patience))
	defer cancel()
	all, ctx := errgroup.WithContext(ctx)
	all.SetLimit(8) // as many as the API server works on at once, and no more
	c.proxy.defined = make([]definition, len(files))
	for i, file := range files {
		all.Go(func() (err error) {
			if c.proxy.defined[i], err = c.defineOne(ctx, file); err != nil {
				return fmt.Errorf("%s: %w", filepath.Base(file), err)
			}
			return nil
		})
	}
	return all.Wait()
}

// defined are the custom resources of the proxy.
func (c *cluster) defined() []definition {
	if c.proxy == nil {
		return nil
	}
	return c.proxy.defined
}

// defineOne makes one custom resource and waits until it is established.
func (c *cluster) defineOne(ctx context.Context, file string) (d definition, err error) {
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
	rest := c.api.Discovery().RESTClient()
	err = rest.Post().AbsPath(definitions).SetHeader("Content-Type", runtime.ContentTypeJSON).
		SetHeader("Accept", runtime.ContentTypeJSON).Body(body).Do(ctx).Error()
	if err != nil && !apierrors.IsAlreadyExists(err) {
		return d, err
	}
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		answer, err := rest.Get().AbsPath(definitions, d.Metadata.Name).SetHeader("Accept", runtime.ContentTypeJSON).DoRaw(ctx)
		if err == nil {
			err = json.Unmarshal(answer, &d)
		}
		if err == nil && d.established() {
			return d, nil
		}
		select {
		case <-retry.C:
		case <-c.died:
			return d, c.Err()
		case <-ctx.Done():
			return d, errors.Join(context.Cause(ctx), err)
		}
	}
}

// definition is what matters of a CustomResourceDefinition.
type definition struct {
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

func (d definition) established() bool {
	for _, c := range d.Status.Conditions {
		if c.Type == "Established" && c.Status == "True" {
			return true
		}
	}
	return false
}
