package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"svcbench/internal/agent"
	"svcbench/internal/failure"
	"svcbench/internal/process"
)

const apiPort = "6443"

// patience is how long the control plane may take to answer: some thirty times
// what it takes on two busy cores, because an emulated processor takes ten.
const patience = 5 * time.Minute

// lessGarbageCollection is the environment of the control plane. It shares the
// processors with what is measured, and a young process whose heap grows with
// the population would spend a sixth of its time on collecting garbage.
func lessGarbageCollection() []string { return []string{"GOGC=400"} }

// startEtcd starts etcd in the control namespace, where nobody but the API
// server can reach it.
func (c *cluster) startEtcd(ctx context.Context) error {
	const client, peer = "http://127.0.0.1:2379", "http://127.0.0.1:2380"
	var err error
	c.etcd, err = c.launcher.Start(ctx, process.Spec{
		Name: "etcd", Path: c.binaries[etcdBinary], Namespace: c.network.control, Log: c.log("etcd"), Env: lessGarbageCollection(),
		Args: []string{
			"--data-dir=" + c.owner.database(),
			"--listen-client-urls=" + client, "--advertise-client-urls=" + client,
			"--listen-peer-urls=" + peer, "--initial-advertise-peer-urls=" + peer, "--initial-cluster=default=" + peer,
			// The data lives as long as the process: waiting for the disk
			// would measure the disk.
			"--unsafe-no-fsync",
			"--quota-backend-bytes=8589934592", "--log-level=warn",
		},
	})
	if err != nil {
		return err
	}
	c.Watch(c.etcd.Done(), c.etcd.Err, "etcd")
	return nil
}

// startAPIServer starts kube-apiserver on the control namespace's address
// towards the node.
func (c *cluster) startAPIServer(ctx context.Context) error {
	var err error
	c.apiserver, err = c.launcher.Start(ctx, process.Spec{
		Name: "kube-apiserver", Path: c.binaries[apiserverBinary], Namespace: c.network.control, Log: c.log("kube-apiserver"), Env: lessGarbageCollection(),
		Args: []string{
			"--etcd-servers=http://127.0.0.1:2379",
			"--service-cluster-ip-range=" + serviceRange.String(),
			"--bind-address=" + controlAddr.Addr().String(), "--advertise-address=" + controlAddr.Addr().String(),
			"--secure-port=" + apiPort,
			"--tls-cert-file=" + c.credentials.certFile, "--tls-private-key-file=" + c.credentials.keyFile,
			"--cert-dir=" + c.owner.work,
			"--token-auth-file=" + c.credentials.tokenFile, "--authorization-mode=AlwaysAllow", "--anonymous-auth=false",
			"--service-account-issuer=https://svcbench.invalid",
			"--service-account-key-file=" + c.credentials.saKeyFile, "--service-account-signing-key-file=" + c.credentials.saKeyFile,
			"--disable-admission-plugins=ServiceAccount",
			// The limits of the server, not its fairness between clients,
			// should decide how fast a population is written.
			"--enable-priority-and-fairness=false", "--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000",
			// Old revisions are not worth the work in the middle of a
			// measurement: the data lives as long as the trial.
			"--etcd-compaction-interval=0",
			// No Service that the scenario does not know.
			"--endpoint-reconciler-type=none",
		},
	})
	if err != nil {
		return err
	}
	c.forgetAPI = c.Watch(c.apiserver.Done(), c.apiserver.Err, "kube-apiserver")
	return nil
}

// RestartAPI restarts the API server, which may be that of a control plane that
// is kept.
func (c *cluster) RestartAPI(ctx context.Context) (ready int64, err error) {
	owner := c
	if c.lender != nil {
		owner = c.lender
	}
	owner.forgetAPI()
	owner.apiserver.Stop(0)
	if err := owner.startAPIServer(ctx); err != nil {
		return 0, fmt.Errorf("restart the API server: %w", err)
	}
	if err := owner.awaitReady(ctx); err != nil {
		return 0, fmt.Errorf("restart the API server: %w", err)
	}
	return agent.Now(), nil
}

// connect makes the client of the API server and waits until it is ready.
func (c *cluster) connect(ctx context.Context) error {
	config := &rest.Config{
		Host:            "https://" + net.JoinHostPort(controlAddr.Addr().String(), apiPort),
		BearerToken:     c.credentials.token,
		TLSClientConfig: rest.TLSClientConfig{CAData: c.credentials.caPEM},
		// The machine itself has no way to the control plane.
		Dial: c.network.control.DialContext,
		// Without these the client would limit itself to 5 requests a second.
		QPS: -1,
		ContentConfig: rest.ContentConfig{
			ContentType:        runtime.ContentTypeProtobuf,
			AcceptContentTypes: runtime.ContentTypeProtobuf + "," + runtime.ContentTypeJSON,
		},
	}
	api, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("make client of the API server: %w", err)
	}
	c.api = api
	return c.awaitReady(ctx)
}

// awaitReady returns when the API server says that it is ready, or that it
// never will be.
func (c *cluster) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("not ready after %v", patience))
	defer cancel()
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		var status int
		result := c.api.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).StatusCode(&status)
		if result.Error() == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-retry.C:
		case <-c.Died():
			return c.Err()
		case <-ctx.Done():
			err := fmt.Errorf("wait for the API server: %w", errors.Join(context.Cause(ctx), result.Error()))
			return failure.New(failure.Environment, err, "read "+c.log("kube-apiserver")+" and "+c.log("etcd"))
		}
	}
}

// writeKubeconfig writes the file that leads the proxy to the API server.
func (c *cluster) writeKubeconfig() error {
	config := clientcmdapi.NewConfig()
	config.Clusters["svcbench"] = &clientcmdapi.Cluster{
		Server:                   "https://" + net.JoinHostPort(controlAddr.Addr().String(), apiPort),
		CertificateAuthorityData: c.credentials.caPEM,
	}
	config.AuthInfos["svcbench"] = &clientcmdapi.AuthInfo{Token: c.credentials.token}
	config.Contexts["svcbench"] = &clientcmdapi.Context{Cluster: "svcbench", AuthInfo: "svcbench"}
	config.CurrentContext = "svcbench"
	// WriteToFile gives the file mode 0600.
	if err := clientcmd.WriteToFile(*config, c.kubeconfig()); err != nil {
		return fmt.Errorf("write kubeconfig: %w", err)
	}
	return nil
}

func (c *cluster) kubeconfig() string { return filepath.Join(c.owner.work, "kubeconfig") }
