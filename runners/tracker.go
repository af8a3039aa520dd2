package runners

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"

	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	seen    map[string]*seenPod
	failed  error // why a watch has ended, if the API server said
}

// seenPod is what was seen of a pod. Times are those when something was first
// seen, in ns of CLOCK_MONOTONIC; 0 for not yet.
type seenPod struct {
	name    string
	service string
	ip      netip.Addr

	ready, sliced, deleted int64
}

func newTracker(ctx context.Context, api kubernetes.Interface, namespace string) (*tracker, error) {
	t := &tracker{ended: make(chan struct{}), changed: make(chan struct{}), seen: map[string]*seenPod{}}
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
		p := t.of(o.Name)
		p.service = o.Labels[rolledLabel]
		if ip, err := netip.ParseAddr(o.Status.PodIP); err == nil { // else it has none yet
			p.ip = ip
		}
		if e.Type == apiwatch.Deleted {
			stamp(&p.deleted, at)
		} else if isReady(o) {
			stamp(&p.ready, at)
		}
	case *discovery.EndpointSlice:
		for _, endpoint := range o.Endpoints {
			if r := endpoint.Conditions.Ready; (r == nil || *r) && endpoint.TargetRef != nil {
				stamp(&t.of(endpoint.TargetRef.Name).sliced, at)
			}
		}
	default:
		t.failed = apierrors.FromObject(e.Object)
	}
	close(t.changed)
	t.changed = make(chan struct{})
}

// of returns what was seen of a pod. mu must be held.
func (t *tracker) of(name string) *seenPod {
	if t.seen[name] == nil {
		t.seen[name] = &seenPod{name: name}
	}
	return t.seen[name]
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
func (t *tracker) ready(ctx context.Context, service string, old seenPod) (found seenPod, err error) {
	err = t.await(ctx, "a pod of "+service+" to be ready", func() bool {
		for _, p := range t.seen {
			if p.service == service && p.name != old.name && p.ready != 0 && p.sliced != 0 && p.deleted == 0 {
				found = *p
				return true
			}
		}
		return false
	})
	return found, err
}

// gone waits until a pod does not exist any more.
func (t *tracker) gone(ctx context.Context, pod seenPod) error {
	return t.await(ctx, "pod "+pod.name+" to be gone", func() bool { return t.of(pod.name).deleted != 0 })
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
			return errors.Join(errors.New("the API server ended a watch"), t.why())
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// why is what the API server said when it ended a watch; nil if it said nothing.
func (t *tracker) why() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}
