package local

import (
	"context"
	"errors"
	"fmt"

	"github.com/vishvananda/netlink"
	corev1 "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"svcbench/clusters/crd"
	"svcbench/internal/netns"
)

// keep makes the cluster a control plane that goes on running: nodes come and
// go, one at a time. It serves what was prepared, see restore.
func (c *cluster) keep(ctx context.Context) (err error) {
	if err := c.network.retire(); err != nil {
		return err
	}
	if c.slices, err = listSlices(ctx, c.api); err != nil {
		return err
	}
	c.services, err = listServices(ctx, c.api)
	return err
}

// retire takes the node away from its control plane, whose address must
// outlive the link to it.
func (n *network) retire() error {
	h, err := n.control.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	lo, err := h.LinkByName("lo")
	if err == nil {
		err = h.AddrAdd(lo, &netlink.Addr{IPNet: ipNet(hostPrefix(controlAddr))})
	}
	if err != nil {
		return fmt.Errorf("keep the address of the control plane: %w", err)
	}
	if err := n.leave(); err != nil {
		return err
	}
	var errs []error
	for _, ns := range []**netns.Namespace{&n.client, &n.backend, &n.node} {
		errs = append(errs, (*ns).Delete())
		*ns = nil
	}
	return errors.Join(errs...)
}

// leave deletes the node's link to the control plane. With the namespace it
// would go too, but later, and the next node's has the same name at its end.
func (n *network) leave() error {
	h, err := n.node.Netlink()
	if err != nil {
		return err
	}
	defer h.Close()
	link, err := h.LinkByName(controlLink)
	if err == nil {
		err = h.LinkDel(link)
	}
	if err != nil {
		return fmt.Errorf("leave the control plane: %w", err)
	}
	return nil
}

// join gives the cluster the control plane that k keeps.
func (c *cluster) join(k *cluster) func(context.Context) error {
	return func(context.Context) (err error) {
		if err := k.Err(); err != nil {
			return err
		}
		c.lender, c.credentials, c.api = k, k.credentials, k.api
		if c.network, err = newNetwork(c.owner.prefix, k.network.control); err != nil {
			return notFit(err, doctor)
		}
		go func() {
			select {
			case <-k.Died():
				c.Die(k.Err())
			case <-c.Over():
			}
		}()
		return c.writeKubeconfig()
	}
}

// giveBack leaves the control plane as it was before join. If that fails, the
// control plane is not fit for another cluster and counts as died. It is no
// error that there is no time for it, because the run ends.
func (c *cluster) giveBack(ctx context.Context) error {
	if c.lender == nil || c.lender.Err() != nil {
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		c.lender.Die(fmt.Errorf("API objects were not restored: %w", cause))
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not restored after %v", patience))
	defer cancel()
	err := c.lender.restore(ctx, c.defined())
	if err != nil {
		err = fmt.Errorf("restore API objects: %w", err)
		c.lender.Die(err)
	}
	return err
}

// restore writes back what churn has changed, which are Services and
// EndpointSlices, and deletes what a proxy has made of its custom resources.
func (c *cluster) restore(ctx context.Context, defined []crd.Definition) error {
	if err := c.restoreServices(ctx); err != nil {
		return err
	}
	now, err := listSlices(ctx, c.api)
	if err != nil {
		return err
	}
	for name, was := range c.slices {
		is, there := now[name]
		if !there {
			return fmt.Errorf("EndpointSlice %s is gone", name)
		}
		if is.ResourceVersion == was.ResourceVersion {
			continue
		}
		was.ResourceVersion = "" // whatever it is now
		if c.slices[name], err = c.api.DiscoveryV1().EndpointSlices(was.Namespace).Update(ctx, was, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	for _, d := range defined {
		if len(d.Spec.Versions) == 0 {
			continue // it did not come to that
		}
		err := c.api.Discovery().RESTClient().Delete().AbsPath("/apis", d.Spec.Group, d.Spec.Versions[0].Name, d.Spec.Names.Plural).Do(ctx).Error()
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s: %w", d.Metadata.Name, err)
		}
	}
	return nil
}

// restoreServices writes back Services that were changed or deleted.
func (c *cluster) restoreServices(ctx context.Context) error {
	now, err := listServices(ctx, c.api)
	if err != nil {
		return err
	}
	for name, was := range c.services {
		is, there := now[name]
		if there && is.ResourceVersion == was.ResourceVersion {
			continue
		}
		was = was.DeepCopy()
		was.ResourceVersion, was.UID = "", "" // whatever they are now
		write := c.api.CoreV1().Services(was.Namespace)
		if there {
			was, err = write.Update(ctx, was, metav1.UpdateOptions{})
		} else {
			was, err = write.Create(ctx, was, metav1.CreateOptions{})
		}
		if err != nil {
			return err
		}
		c.services[name] = was
	}
	return nil
}

// listServices returns all Services by name.
func listServices(ctx context.Context, api kubernetes.Interface) (map[string]*corev1.Service, error) {
	list, err := api.CoreV1().Services(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list Services: %w", err)
	}
	all := make(map[string]*corev1.Service, len(list.Items))
	for i := range list.Items {
		s := &list.Items[i]
		all[s.Namespace+"/"+s.Name] = s
	}
	return all, nil
}

// listSlices returns all EndpointSlices by name.
func listSlices(ctx context.Context, api kubernetes.Interface) (map[string]*discovery.EndpointSlice, error) {
	list, err := api.DiscoveryV1().EndpointSlices(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list EndpointSlices: %w", err)
	}
	all := make(map[string]*discovery.EndpointSlice, len(list.Items))
	for i := range list.Items {
		s := &list.Items[i]
		all[s.Namespace+"/"+s.Name] = s
	}
	return all, nil
}
