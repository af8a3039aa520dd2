package population

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
)

// workers is how many objects are written at once: more does not make one API
// server on a few cores any faster.
const workers = 32

// attempt is how long one write may take before it is tried again.
const attempt = 30 * time.Second

// backoff is the pause between attempts at one object: five of them, 3 s in
// all. What lasts longer is no hiccup.
func backoff() wait.Backoff {
	return wait.Backoff{Duration: 200 * time.Millisecond, Factor: 2, Jitter: 0.1, Steps: 5}
}

// Write creates the namespace and every object, those of the empty Services
// in the middle and uncounted. Each Service is there before
// its endpoints, Services in the order of their numbers as near as parallel
// writing allows. step is called after every object with how many there are;
// calls come from many goroutines. Errors that pass by themselves are retried.
func (p *Population) Write(ctx context.Context, api kubernetes.Interface, step func(done int)) error {
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: Namespace}}
	err := create(ctx, "namespace "+Namespace, func(ctx context.Context) error {
		_, err := api.CoreV1().Namespaces().Create(ctx, namespace, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var next, done atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	for range workers {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= p.services {
					return nil
				}
				if i == p.services/2 {
					if err := p.writeEmpty(ctx, api); err != nil {
						return err
					}
				}
				if err := p.writeService(ctx, api, i); err != nil {
					return err
				}
				step(int(done.Add(1)))
				if err := p.writeEndpoints(ctx, api, i); err != nil {
					return err
				}
				step(int(done.Add(1)))
			}
		})
	}
	return g.Wait()
}

func (p *Population) writeService(ctx context.Context, api kubernetes.Interface, i int) error {
	return createService(ctx, api, p.Service(i))
}

func createService(ctx context.Context, api kubernetes.Interface, s *corev1.Service) error {
	return create(ctx, "Service "+s.Name, func(ctx context.Context) error {
		got, err := api.CoreV1().Services(Namespace).Create(ctx, s, metav1.CreateOptions{})
		if err == nil && got.Spec.ClusterIP != s.Spec.ClusterIP {
			return fmt.Errorf("it got cluster IP %s instead of %s", got.Spec.ClusterIP, s.Spec.ClusterIP)
		}
		return err
	})
}

func (p *Population) writeEndpoints(ctx context.Context, api kubernetes.Interface, i int) error {
	return createSlice(ctx, api, p.EndpointSlice(i, Endpoints{Ready: p.PodIPs(i)}))
}

func createSlice(ctx context.Context, api kubernetes.Interface, s *discoveryv1.EndpointSlice) error {
	return create(ctx, "EndpointSlice "+s.Name, func(ctx context.Context) error {
		_, err := api.DiscoveryV1().EndpointSlices(Namespace).Create(ctx, s, metav1.CreateOptions{})
		return err
	})
}

// create writes one object and tries again what may pass. An object that is
// already there on a later attempt is the work of an earlier one whose answer
// was lost.
func create(ctx context.Context, what string, write func(context.Context) error) error {
	var last error
	attempts := 0
	err := wait.ExponentialBackoffWithContext(ctx, backoff(), func(ctx context.Context) (bool, error) {
		attempts++
		limited, cancel := context.WithTimeout(ctx, attempt)
		defer cancel()
		last = write(limited)
		switch {
		case last == nil, attempts > 1 && apierrors.IsAlreadyExists(last):
			return true, nil
		case ctx.Err() == nil && transient(last):
			return false, nil
		}
		return false, last
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("create %s: %w", what, context.Cause(ctx))
	case wait.Interrupted(err):
		return fmt.Errorf("create %s: given up after %d attempts: %w", what, attempts, last)
	}
	return fmt.Errorf("create %s: %w", what, err)
}

// transient reports whether an API error may be gone a moment later.
func transient(err error) bool {
	var network net.Error
	switch {
	case apierrors.IsTooManyRequests(err), apierrors.IsServerTimeout(err), apierrors.IsTimeout(err),
		apierrors.IsInternalError(err), apierrors.IsServiceUnavailable(err):
		return true
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, unix.ECONNRESET):
		return true
	}
	return errors.As(err, &network) && network.Timeout()
}
