package local

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"svcbench/clusters"
	"svcbench/clusters/life"
	"svcbench/internal/agent/verify"
	"svcbench/scenarios"
)

// Clusters that share a control plane, one after the other, each find it as it
// was prepared, whatever those before have changed and whatever their mode.
func TestKeepControlPlane(t *testing.T) {
	p, temp := newProvider(t)
	p.options.KeepControlPlane = true
	before := machineNow(t, temp)
	config := clusters.Config{Name: "test", Mode: scenarios.NFTables, LogDir: t.TempDir()}
	kept, err := p.Prepare(t.Context(), config, func(_ context.Context, api kubernetes.Interface, _ clusters.Network) error {
		populate(t, api)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	config.Prepared = kept
	for _, mode := range []scenarios.Mode{scenarios.NFTables, scenarios.EBPF, scenarios.EBPF, scenarios.IPTables} {
		t.Run(string(mode), func(t *testing.T) {
			mustRun(t, p, mode)
			config.Mode = mode
			borrow(t, p, config)
		})
	}
	if err := errors.Join(kept.Close(), kept.Close()); err != nil {
		t.Fatal(err)
	}
	before.same(t, machineNow(t, temp))
}

// borrow runs a cluster, changes an endpoint and a Service and deletes another.
func borrow(t *testing.T, p *Provider, config clusters.Config) {
	t.Helper()
	c, err := p.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := c.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	left, err := c.API().Discovery().RESTClient().Get().AbsPath("/apis/cilium.io/v2/ciliumnodes").DoRaw(t.Context())
	if err == nil && strings.Contains(string(left), nodeName) {
		t.Errorf("an earlier cluster left %s", left)
	}
	if _, err := c.Proxy().Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitServices(t, c) // as they were prepared
	slices := c.API().DiscoveryV1().EndpointSlices("default")
	slice, err := slices.Get(t.Context(), "service-0", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	other := podIP(population + 1)
	slice.Endpoints[0].Addresses = []string{other.String()}
	if _, err := slices.Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	result, err := verify.Run(t.Context(), c.Place(clusters.AtClient), verify.Spec{
		Targets: []verify.Target{{ID: "changed", Addr: netip.AddrPortFrom(serviceIP(0), 80), Want: []netip.Addr{other}}},
	})
	if err != nil || !result.Converged() {
		t.Errorf("after the change: %v, %v", result, err)
	}
	services := c.API().CoreV1().Services("default")
	if err := services.Delete(t.Context(), "service-1", metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
	if _, err := services.Patch(t.Context(), "service-2", types.JSONPatchType, []byte(`[{"op":"replace","path":"/spec/ports/0/port","value":1080}]`), metav1.PatchOptions{}); err != nil {
		t.Error(err)
	}
}

// The death of a control plane is that of the cluster that has borrowed it, and
// of those that would.
func TestKeptControlPlaneDies(t *testing.T) {
	p, _ := newProvider(t)
	p.options.KeepControlPlane = true
	config := clusters.Config{Name: "test", Mode: scenarios.NFTables, LogDir: t.TempDir()}
	held, err := p.Prepare(t.Context(), config, func(context.Context, kubernetes.Interface, clusters.Network) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	config.Prepared = held
	c, err := p.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	held.(*prepared).alive.etcd.Stop(0)
	<-c.Died()
	if err := c.Err(); err == nil || !strings.Contains(err.Error(), "etcd") {
		t.Errorf("died because %v", err)
	}
	if err := c.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := p.Start(t.Context(), config); err == nil || !strings.Contains(err.Error(), "etcd") {
		t.Errorf("another cluster: %v", err)
	}
}

// A run that is stopped does not wait for a control plane, nor does it complain
// of one; no other cluster gets what was not restored.
func TestGiveBackNoTime(t *testing.T) {
	lender := &cluster{Life: life.New(nil)}
	c := &cluster{lender: lender}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := c.giveBack(ctx); err != nil {
		t.Error(err)
	}
	if err := lender.Err(); !errors.Is(err, context.Canceled) {
		t.Errorf("the lender can lend again: %v", err)
	}
}
