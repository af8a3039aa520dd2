package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/watch"
	"svcbench/internal/results"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

// poddedCluster is a fakeCluster with a controller of a few lines, which makes a
// pod for every version of a Deployment and puts it in the place of the one before.
type poddedCluster struct {
	*fakeCluster
	somePods
	made atomic.Int64
}

func newPoddedCluster(t *testing.T) *poddedCluster {
	api := fake.NewClientset()
	c := &poddedCluster{fakeCluster: &fakeCluster{
		t: t, api: api, died: make(chan struct{}), network: fakeNetwork(), off: map[netip.Addr]bool{}, launcher: agenttest.Launcher{},
	}}
	c.proxy = &fakeProxy{cluster: c.fakeCluster}
	c.config.Ports = population.Targets(1)
	c.inNamespace()
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	c.converged()
	var services atomic.Int64
	api.PrependReactor("create", "services", func(a clienttesting.Action) (bool, runtime.Object, error) {
		s := a.(clienttesting.CreateAction).GetObject().(*corev1.Service)
		s.Spec.ClusterIP = fmt.Sprintf("10.96.9.%d", services.Add(1))
		return false, nil, nil // it is stored like that
	})
	deployments, err := api.AppsV1().Deployments(podNamespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(deployments.Stop)
	go func() {
		for e := range deployments.ResultChan() {
			if d, ok := e.Object.(*appsv1.Deployment); ok && t.Context().Err() == nil {
				if err := c.rollTo(t.Context(), d.Name); err != nil && t.Context().Err() == nil {
					t.Errorf("roll %s: %v", d.Name, err)
				}
			}
		}
	}()
	return c
}

// rollTo makes the next pod of a Deployment, which takes a moment.
func (c *poddedCluster) rollTo(ctx context.Context, name string) error {
	time.Sleep(200 * time.Millisecond)
	n := c.made.Add(1)
	pod, slice := trackedPod(fmt.Sprintf("%s-%d", name, n), true), trackedSlice(name, []string{fmt.Sprintf("%s-%d", name, n)})
	pod.Labels[poddedLabel], slice.Labels[poddedLabel] = name, name
	pod.Status.PodIP = fmt.Sprintf("10.244.77.%d", n)
	port := int32(population.Targets(1)[0])
	slice.Ports = []discovery.EndpointPort{{Port: &port}}
	slice.Endpoints[0].Addresses = []string{pod.Status.PodIP}
	if _, err := c.api.CoreV1().Pods(podNamespace).Create(ctx, pod, metav1.CreateOptions{}); err != nil {
		return err
	}
	slices := c.api.DiscoveryV1().EndpointSlices(podNamespace)
	before, err := slices.Get(ctx, name, metav1.GetOptions{})
	if err != nil { // it is the first
		_, err = slices.Create(ctx, slice, metav1.CreateOptions{})
		return err
	}
	if _, err := slices.Update(ctx, slice, metav1.UpdateOptions{}); err != nil {
		return err
	}
	return c.api.CoreV1().Pods(podNamespace).Delete(ctx, before.Endpoints[0].TargetRef.Name, metav1.DeleteOptions{})
}

var _ clusters.Podded = (*poddedCluster)(nil)

// startPodChurn prepares a churn of rolled pods in a cluster, and lets it serve.
func startPodChurn(t *testing.T, c *poddedCluster, spec scenarios.Churn) (*podChanger, *watch.Watcher) {
	t.Helper()
	f := &inFlight{
		trial:   Trial{scenario: &scenarios.Scenario{Seed: 1, Churn: &spec, Population: scenarios.Population{Protocol: scenarios.TCP}}},
		cluster: c, observer: silent{}, record: &results.Trial{},
	}
	w, err := watch.Start(t.Context(), c.Place(clusters.AtClient))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Close() })
	changer, err := newPodChanger(t.Context(), f, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(changer.close)
	if _, err := c.proxy.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return changer, w
}

// TestPodChurn rolls pods and finds every part of every change.
func TestPodChurn(t *testing.T) {
	c := newPoddedCluster(t)
	changer, _ := startPodChurn(t, c, scenarios.Churn{
		Kinds: []scenarios.ChurnKind{scenarios.RollPods}, Rate: 2, Duration: scenarios.Duration(2 * time.Second), Timeout: scenarios.Duration(20 * time.Second),
	})
	if err := changer.run(t.Context(), agent.Now()+preRoll.Nanoseconds()); err != nil {
		t.Fatal(err)
	}
	if n := len(changer.changes()); n != 4 {
		t.Errorf("%d changes", n)
	}
	for _, ch := range changer.changes() {
		if ch.Error == beforehand {
			continue // the machine is so busy that a connection took as long as a change
		}
		if ch.Error != "" || ch.Sent < ch.Due || ch.FirstNew < ch.Sent || ch.OldSettled < ch.FirstNew {
			t.Errorf("change %+v", ch)
		}
		for _, at := range []int64{ch.Ready, ch.Sliced, ch.Unready, ch.Unsliced} {
			if at < ch.Sent {
				t.Errorf("change %+v", ch)
			}
		}
	}
}

// TestPodChurnStops checks that a churn ends with what it needs, for that reason.
func TestPodChurnStops(t *testing.T) {
	stopped := errors.New("stopped")
	for what, stop := range map[string]func(cancel context.CancelCauseFunc, c *podChanger, w *watch.Watcher){
		stopped.Error():    func(cancel context.CancelCauseFunc, _ *podChanger, _ *watch.Watcher) { cancel(stopped) },
		"watcher":          func(_ context.CancelCauseFunc, _ *podChanger, w *watch.Watcher) { _ = w.Close() },
		"API server ended": func(_ context.CancelCauseFunc, c *podChanger, _ *watch.Watcher) { c.track.close() },
	} {
		t.Run(what, func(t *testing.T) {
			c := newPoddedCluster(t)
			changer, w := startPodChurn(t, c, scenarios.Churn{
				Kinds: []scenarios.ChurnKind{scenarios.RollPods}, Rate: 1, Duration: scenarios.Duration(time.Hour), Timeout: scenarios.Duration(20 * time.Second),
			})
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			time.AfterFunc(time.Second, func() { stop(cancel, changer, w) })
			err := changer.run(ctx, agent.Now()+preRoll.Nanoseconds())
			if err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("it ended because %v, want %s", err, what)
			}
		})
	}
}
