package runners

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"svcbench/scenarios"
)

// somePods runs pods on three nodes.
type somePods struct{}

func (somePods) Pod(port uint16, nodes ...string) corev1.PodSpec {
	return corev1.PodSpec{Hostname: fmt.Sprint(port, nodes)}
}

func (somePods) PodNodes() []string { return []string{"n1", "n2", "n3"} }

// written are the calls that reached the API.
func written(api *fake.Clientset) []string {
	var all []string
	for _, a := range api.Actions() {
		line := a.GetVerb() + " " + a.GetResource().Resource
		if sub := a.GetSubresource(); sub != "" {
			line += "/" + sub
		}
		switch a := a.(type) {
		case clienttesting.PatchAction:
			line += " " + a.GetName() + " " + string(a.GetPatch())
		case clienttesting.DeleteAction:
			line += " " + a.GetName()
		case clienttesting.CreateAction:
			line += " " + a.GetObject().(metav1.Object).GetName()
		}
		all = append(all, line)
	}
	return all
}

// TestMoves makes one change of every kind and compares what is announced with
// what is written.
func TestMoves(t *testing.T) {
	a, b := seenPod{name: "a", ip: netip.MustParseAddr("10.145.0.1")}, seenPod{name: "b", ip: netip.MustParseAddr("10.145.0.2")}
	readyA := a
	readyA.ready.on = true
	for _, test := range []struct {
		kind  scenarios.ChurnKind
		pods  []seenPod
		want  string   // kind, comes, back, leave, ends
		write []string // parts of what is written, in order
	}{
		{scenarios.RollPods, []seenPod{a}, "roll-pods true false [a] true", []string{"patch deployments s", `"svcbench.dev/rollout":"7"`}},
		{scenarios.DeletePods, []seenPod{a}, "delete-pods true false [a] true", []string{"delete pods a"}},
		{scenarios.ScalePods, []seenPod{a}, "scale-up true false [] false", []string{"patch deployments s", `"replicas":2`}},
		{scenarios.ScalePods, []seenPod{a, b}, "scale-down false false [a] true", []string{"patch pods a", deletionCost, "patch deployments s", `"replicas":1`}},
		{scenarios.FlipReadiness, []seenPod{readyA}, "not-ready false false [a] false", []string{"patch pods/status a", `"status":"False"`}},
		{scenarios.FlipReadiness, []seenPod{a}, "ready true true [] false", []string{"patch pods/status a", `"status":"True"`}},
		{scenarios.DrainNode, []seenPod{a}, "drain-node true false [a] true", []string{"create pods/eviction a"}},
	} {
		t.Run(string(test.kind), func(t *testing.T) {
			api := fake.NewClientset(trackedPod("a", true), trackedPod("b", true))
			kind, err := podKindOf(test.kind, api, somePods{})
			if err != nil {
				t.Fatal(err)
			}
			m, err := kind.move(t.Context(), 7, &podded{name: "s", pods: test.pods})
			if err != nil {
				t.Fatal(err)
			}
			var leave []string
			for _, p := range m.leave {
				leave = append(leave, p.name)
			}
			if got := fmt.Sprintf("%s %t %t %v %t", m.kind, m.comes, m.back != nil, leave, m.ends); got != test.want {
				t.Errorf("announced %q, want %q", got, test.want)
			}
			_ = m.write(t.Context()) // there is no Deployment
			rest := strings.Join(written(api), "\n")
			for _, want := range test.write {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("no %q in what is left of\n%s", want, strings.Join(written(api), "\n"))
				}
				rest = after
			}
		})
	}
}

// A drain goes from the first node to the second and back, and never is a node open
// that was just emptied.
func TestDrainingTakesTurns(t *testing.T) {
	api := fake.NewClientset(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n2"}})
	kind, err := podKindOf(scenarios.DrainNode, api, somePods{})
	if err != nil {
		t.Fatal(err)
	}
	if pod := kind.pod(80); pod.Hostname != "80 [n1 n2]" {
		t.Errorf("pods run on %s", pod.Hostname)
	}
	closed := func() string {
		var all []string
		nodes, err := api.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range nodes.Items {
			if n.Spec.Unschedulable {
				all = append(all, n.Name)
			}
		}
		return strings.Join(all, " ")
	}
	for i, step := range []func(context.Context) error{kind.prepare, kind.begin, kind.begin} {
		if err := step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if want := []string{"n2", "n1", "n2"}[i]; closed() != want {
			t.Errorf("after step %d %q takes no pods, want %s", i, closed(), want)
		}
	}
	if groups := kind.groups(make([]*podded, kind.services(nil))); len(groups) != 1 || len(groups[0]) != drainedServices {
		t.Errorf("groups %v", groups)
	}
}

// Pods that are made ready by hand say so.
func TestReadinessGate(t *testing.T) {
	api := fake.NewClientset(trackedPod("a", false))
	kind, err := podKindOf(scenarios.FlipReadiness, api, somePods{})
	if err != nil {
		t.Fatal(err)
	}
	pod := kind.pod(80)
	if len(pod.ReadinessGates) != 1 || pod.Hostname != "80 [n1]" {
		t.Errorf("pods are %+v", pod)
	}
	if err := kind.furnish(t.Context(), seenPod{name: "a"}); err != nil {
		t.Fatal(err)
	}
	got, err := api.CoreV1().Pods(podNamespace).Get(t.Context(), "a", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range got.Status.Conditions {
		if c.Type == pod.ReadinessGates[0].ConditionType && c.Status == corev1.ConditionTrue {
			return
		}
	}
	t.Errorf("conditions %+v", got.Status.Conditions)
}
