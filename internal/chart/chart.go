// Package chart renders Helm charts.
package chart

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	releaseutil "helm.sh/helm/v4/pkg/release/v1/util"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Render renders the chart in a folder for a version of Kubernetes such as
// "v1.37.2", with values over those of the chart, as "helm template" does for the
// namespace kube-system. The result is YAML documents in the order in which they
// can be made.
func Render(ctx context.Context, dir, kubernetes string, values map[string]any) ([]byte, error) {
	chart, err := loader.LoadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("load chart: %w", err)
	}
	version, err := common.ParseKubeVersion(kubernetes)
	if err != nil {
		return nil, fmt.Errorf("read version of Kubernetes: %w", err)
	}
	capabilities := *common.DefaultCapabilities
	capabilities.KubeVersion = *version
	release := common.ReleaseOptions{Name: chart.Name(), Namespace: metav1.NamespaceSystem, Revision: 1, IsInstall: true}
	all, err := util.ToRenderValues(chart, values, release, &capabilities)
	if err != nil {
		return nil, err
	}
	files, err := engine.Engine{}.RenderWithContext(ctx, chart, all)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(files, func(name, _ string) bool { return path.Ext(name) == ".txt" }) // notes for people
	// What others are in comes first. Hooks are for later changes and are left out.
	_, objects, err := releaseutil.SortManifests(files, capabilities.APIVersions, releaseutil.InstallOrder)
	if err != nil {
		return nil, err
	}
	var documents bytes.Buffer
	for _, object := range objects {
		fmt.Fprintf(&documents, "---\n%s\n", object.Content)
	}
	return documents.Bytes(), nil
}

// Image is the name of the image that the chart in a folder asks for, as charts
// usually say it: by the values image.repository and image.tag.
func Image(dir string) (string, error) {
	chart, err := loader.LoadDir(dir)
	if err != nil {
		return "", err
	}
	image, _ := chart.Values["image"].(map[string]any)
	repository, _ := image["repository"].(string)
	tag, _ := image["tag"].(string)
	if repository == "" || tag == "" {
		return "", errors.New("the chart names no image")
	}
	return repository + ":" + tag, nil
}
