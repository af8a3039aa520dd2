package population

import (
	"context"
	"fmt"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	"k8s.io/client-go/kubernetes"
)

// EmptyServices is how many Services without endpoints there are beside those
// of the point. They get no traffic and are in no count; they are there to be
// refused.
const EmptyServices = 2

// EmptyName returns the name of the n-th Service without endpoints, such as
// "svc-00500-empty-1". By name they come in the middle of all others.
func (p *Population) EmptyName(n int) string {
	return fmt.Sprintf("%s-empty-%d", p.Name(p.services/2), n+1)
}

// EmptyAddr returns the first port of the n-th Service without endpoints. Its
// cluster IP follows those of the other Services.
func (p *Population) EmptyAddr(n int) netip.AddrPort {
	return netip.AddrPortFrom(p.ClusterIP(p.services+n), p.ports[0].number)
}

// emptyService returns the object of the n-th Service without endpoints. It
// has a cluster IP only: node ports are few.
func (p *Population) emptyService(n int) *corev1.Service {
	s := p.Service(0)
	s.Name = p.EmptyName(n)
	s.Spec.Type = corev1.ServiceTypeClusterIP
	s.Spec.ClusterIP = p.EmptyAddr(n).Addr().String()
	for i := range s.Spec.Ports {
		s.Spec.Ports[i].NodePort = 0
	}
	return s
}

// writeEmpty creates the Services without endpoints. Each has a slice with
// nothing in it, as a Service whose pods are all gone.
func (p *Population) writeEmpty(ctx context.Context, api kubernetes.Interface) error {
	for n := range EmptyServices {
		s := p.emptyService(n)
		if err := createService(ctx, api, s); err != nil {
			return err
		}
		slice := p.EndpointSlice(0, Endpoints{})
		slice.Name = s.Name
		slice.Labels[discoveryv1.LabelServiceName] = s.Name
		if err := createSlice(ctx, api, slice); err != nil {
			return err
		}
	}
	return nil
}
