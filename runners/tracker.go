package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes"

	"svcbench/internal/agent"
)

// tracker remembers when pods were first seen to be ready and to be in an
// EndpointSlice, by watching the API server as a proxy does.
type tracker struct {
	pods, slices apiwatch.Interface
	ended        chan struct{} // closed when a watch has ended by itself

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when something was seen
	seen    map[podKey]*podTimes
}

// podKey is a pod of a rolled Service.
type podKey struct {
	service string
	ip      netip.Addr
}

// podTimes are when things were first seen of a pod, in ns of CLOCK_MONOTONIC; 0
// for not yet.
type podTimes struct{ ready, sliced, deleted int64 }

func newTracker(ctx context.Context, api kubernetes.Interface, namespace string) (*tracker, error) {
	t := &tracker{ended: make(chan struct{}), changed: make(chan struct{}), seen: map[podKey]*podTimes{}}
	all := metav1.ListOptions{LabelSelector: rolledLabel}
	var err error
	if t.pods, err = api.CoreV1().Pods(namespace).Watch(ctx, all); err != nil {
		return nil, fmt.Errorf("watch pods: %w", err)
	}
	if t.slices, err = api.DiscoveryV1().EndpointSlices(namespace).Watch(ctx, all); err != nil {
		t.pods.Stop()
		return nil, fmt.Errorf("watch endpoints: %w", err)
	}
	var once sync.Once
	for _, w := range []apiwatch.Interface{t.pods, t.slices} {
		go func() {
			for e := range w.ResultChan() {
				t.note(e, agent.Now())
			}
			once.Do(func() { close(t.ended) })
		}()
	}
	return t, nil
}

// close ends the watches. It may be called more than once.
func (t *tracker) close() {
	t.pods.Stop()
	t.slices.Stop()
}

// note remembers what an event tells.
func (t *tracker) note(e apiwatch.Event, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch o := e.Object.(type) {
	case *corev1.Pod:
		ip, err := netip.ParseAddr(o.Status.PodIP)
		if err != nil {
			return // it has none yet
		}
		p := t.of(o.Labels[rolledLabel], ip)
		if e.Type == apiwatch.Deleted {
			stamp(&p.deleted, at)
		} else if isReady(o) {
			stamp(&p.ready, at)
		}
	case *discovery.EndpointSlice:
		for _, endpoint := range o.Endpoints {
			if r := endpoint.Conditions.Ready; r != nil && !*r || len(endpoint.Addresses) == 0 {
				continue
			}
			if ip, err := netip.ParseAddr(endpoint.Addresses[0]); err == nil {
				stamp(&t.of(o.Labels[rolledLabel], ip).sliced, at)
			}
		}
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// of returns the times of a pod. mu must be held.
func (t *tracker) of(service string, ip netip.Addr) *podTimes {
	key := podKey{service, ip}
	if t.seen[key] == nil {
		t.seen[key] = &podTimes{}
	}
	return t.seen[key]
}

// stamp sets a time that was not set before.
func stamp(v *int64, at int64) {
	if *v == 0 {
		*v = at
	}
}

func isReady(p *corev1.Pod) bool {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue && p.DeletionTimestamp == nil
		}
	}
	return false
}

// ready waits for a pod of a Service, other than old, that is ready and in its
// EndpointSlice.
func (t *tracker) ready(ctx context.Context, service string, old netip.Addr) (ip netip.Addr, err error) {
	err = t.await(ctx, "a pod of "+service+" to be ready", func() bool {
		for key, times := range t.seen {
			if key.service == service && key.ip != old && times.ready != 0 && times.sliced != 0 && times.deleted == 0 {
				ip = key.ip
				return true
			}
		}
		return false
	})
	return ip, err
}

// gone waits until a pod does not exist any more, and forgets it: its address may
// come back.
func (t *tracker) gone(ctx context.Context, service string, ip netip.Addr) error {
	return t.await(ctx, "the pod "+ip.String()+" of "+service+" to be gone", func() bool {
		if p := t.seen[podKey{service, ip}]; p == nil || p.deleted == 0 {
			return false
		}
		delete(t.seen, podKey{service, ip})
		return true
	})
}

// times returns when a pod was first seen to be ready and in an EndpointSlice.
func (t *tracker) times(service string, ip netip.Addr) (ready, sliced int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.of(service, ip)
	return p.ready, p.sliced
}

// await waits until something is so by what was seen; it asks with mu held.
func (t *tracker) await(ctx context.Context, what string, so func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, rolloutPatience, fmt.Errorf("waited %v for %s", rolloutPatience, what))
	defer cancel()
	for {
		t.mu.Lock()
		ok, changed := so(), t.changed
		t.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-t.ended:
			return errors.New("the API server ended a watch")
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
