package runners

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/fake"
)

// trackedPod is a pod of the Service "s" as the API server tells of it.
func trackedPod(name string, ready bool) *corev1.Pod {
	status := corev1.ConditionFalse
	if ready {
		status = corev1.ConditionTrue
	}
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: podNamespace, Labels: map[string]string{poddedLabel: "s"}},
		Status:     corev1.PodStatus{PodIP: "10.145.0.7", Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: status}}},
	}
}

// trackedSlice is an EndpointSlice: of pods that are ready, and of others.
func trackedSlice(name string, ready []string, others ...string) *discovery.EndpointSlice {
	s := &discovery.EndpointSlice{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: podNamespace, Labels: map[string]string{poddedLabel: "s"}}}
	for _, pod := range append(ready, others...) {
		is := len(s.Endpoints) < len(ready)
		s.Endpoints = append(s.Endpoints, discovery.Endpoint{
			TargetRef: &corev1.ObjectReference{Name: pod}, Conditions: discovery.EndpointConditions{Ready: &is},
		})
	}
	return s
}

// tracked is a tracker that has been told of events one millisecond after the
// other.
func tracked(events ...apiwatch.Event) *tracker {
	t := &tracker{ended: make(chan struct{}), changed: make(chan struct{}), seen: map[string]*seenPod{}, listed: map[string][]string{}}
	for i, e := range events {
		t.note(e, int64(i+1))
	}
	return t
}

func event(kind apiwatch.EventType, o runtime.Object) apiwatch.Event {
	return apiwatch.Event{Type: kind, Object: o}
}

// now finds a pod that fits already; it waits for none.
func now(t *testing.T, find func(context.Context) (seenPod, error)) (seenPod, bool) {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	p, err := find(ctx)
	if err != nil && !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return p, err == nil
}

func TestTrackerLife(t *testing.T) {
	ending := trackedPod("a", true)
	ending.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
	events := []apiwatch.Event{
		event(apiwatch.Added, trackedPod("a", false)),
		event(apiwatch.Added, trackedSlice("x", nil, "a")),
		event(apiwatch.Modified, trackedPod("a", true)),            // 3
		event(apiwatch.Modified, trackedPod("a", true)),            // again, which says nothing
		event(apiwatch.Modified, trackedSlice("x", []string{"a"})), // 5
		event(apiwatch.Modified, ending),                           // 6
		event(apiwatch.Modified, trackedSlice("x", nil, "a")),      // 7
		event(apiwatch.Deleted, ending),                            // 8
	}
	early := tracked(events[:4]...)
	if p, ok := now(t, func(ctx context.Context) (seenPod, error) { return early.fresh(ctx, "s", nil) }); ok {
		t.Errorf("%+v is not in a slice", p)
	}
	if p, ok := now(t, func(ctx context.Context) (seenPod, error) { return early.running(ctx, "s") }); !ok || p.ip != netip.MustParseAddr("10.145.0.7") {
		t.Errorf("running: %+v, %t", p, ok)
	}
	serving := tracked(events[:5]...)
	p, ok := now(t, func(ctx context.Context) (seenPod, error) { return serving.fresh(ctx, "s", nil) })
	if !ok || p.ready.at != 3 || p.sliced.at != 5 {
		t.Errorf("it serves as %+v, %t", p, ok)
	}
	for what, known := range map[string][]seenPod{"other": nil, "s": {p}} {
		if q, ok := now(t, func(ctx context.Context) (seenPod, error) { return serving.fresh(ctx, what, known) }); ok {
			t.Errorf("a fresh pod of %s: %+v", what, q)
		}
	}
	if _, ok := now(t, func(ctx context.Context) (seenPod, error) { return tracked(events[:7]...).gone(ctx, "s", []seenPod{p}) }); ok {
		t.Error("it is gone before it is deleted")
	}
	p, ok = now(t, func(ctx context.Context) (seenPod, error) { return tracked(events...).gone(ctx, "s", []seenPod{p}) })
	if !ok || p.ready != (turn{false, 6}) || p.sliced != (turn{false, 7}) {
		t.Errorf("it is gone as %+v, %t", p, ok)
	}
}

// A pod that becomes ready again has the times of its last turn.
func TestTrackerTurns(t *testing.T) {
	tr := tracked(
		event(apiwatch.Added, trackedPod("a", true)),
		event(apiwatch.Added, trackedSlice("x", []string{"a"})),
		event(apiwatch.Modified, trackedPod("a", false)),
		event(apiwatch.Modified, trackedSlice("x", nil, "a")),
	)
	turned := func(on bool) (seenPod, bool) {
		return now(t, func(ctx context.Context) (seenPod, error) { return tr.turned(ctx, seenPod{name: "a"}, on) })
	}
	if p, ok := turned(false); !ok || p.ready.at != 3 || p.sliced.at != 4 {
		t.Errorf("not ready: %+v, %t", p, ok)
	}
	tr.note(event(apiwatch.Modified, trackedPod("a", true)), 50)
	if p, ok := turned(true); ok {
		t.Errorf("ready before its slice says so: %+v", p)
	}
	tr.note(event(apiwatch.Modified, trackedSlice("x", []string{"a"})), 60)
	if p, ok := turned(true); !ok || p.ready.at != 50 || p.sliced.at != 60 {
		t.Errorf("ready: %+v, %t", p, ok)
	}
	tr.note(event(apiwatch.Deleted, trackedSlice("x", []string{"a"})), 70)
	if p := tr.of("a"); p.sliced != (turn{false, 70}) {
		t.Errorf("without a slice: %+v", p)
	}
}

// The end of a watch is an error with the reason that the API server gave.
func TestTrackerWatches(t *testing.T) {
	api := fake.NewClientset()
	tr, err := newTracker(t.Context(), api, podNamespace)
	if err != nil {
		t.Fatal(err)
	}
	defer tr.close()
	found := make(chan error, 1)
	go func() {
		_, err := tr.fresh(t.Context(), "s", nil)
		found <- err
	}()
	if _, err := api.CoreV1().Pods(podNamespace).Create(t.Context(), trackedPod("a", true), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := api.DiscoveryV1().EndpointSlices(podNamespace).Create(t.Context(), trackedSlice("x", []string{"a"}), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-found; err != nil {
		t.Error(err)
	}
	tr.note(event(apiwatch.Error, &metav1.Status{Status: metav1.StatusFailure, Message: "too old"}), 1)
	tr.close()
	if _, err := tr.fresh(t.Context(), "another", nil); err == nil || !strings.Contains(err.Error(), "too old") {
		t.Errorf("error is %v", err)
	}
}
