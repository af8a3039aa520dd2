package population

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"
)

// The empty Services are in the API, in the middle by name, and nobody takes
// them for some of the point's.
func TestEmptyServices(t *testing.T) {
	p := mustNew(t, 9, 2, 2, 0)
	api := fake.NewClientset()
	if err := p.Write(t.Context(), api, func(int) {}); err != nil {
		t.Fatal(err)
	}
	if p.Services() != 9 || p.Objects() != 18 {
		t.Errorf("%d Services, %d objects: the empty ones are counted", p.Services(), p.Objects())
	}
	for n := range EmptyServices {
		name, addr := p.EmptyName(n), p.EmptyAddr(n)
		if name <= p.Name(4) || name >= p.Name(5) {
			t.Errorf("%s does not sort into the middle", name)
		}
		if i, ok := p.Index(addr.Addr()); ok {
			t.Errorf("%v is taken for Service %d", addr, i)
		}
		s, err := api.CoreV1().Services(Namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || s.Spec.ClusterIP != addr.Addr().String() || len(s.Spec.Ports) != 2 {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
		slice, err := api.DiscoveryV1().EndpointSlices(Namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil || len(slice.Endpoints) != 0 || slice.Labels["kubernetes.io/service-name"] != name {
			t.Errorf("slice of %s: %+v, %v", name, slice, err)
		}
	}
}
