package kind

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"

	"svcbench/internal/agent"
)

// podPlace is a pod as a place for agents.
type podPlace struct {
	cluster *cluster
	pod     pod
}

var _ agent.Launcher = podPlace{}

// Launch starts "svcbench agent NAME" in the pod, as "kubectl exec" does.
func (p podPlace) Launch(ctx context.Context, name string) (agent.Session, error) {
	url := p.cluster.api.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(p.pod.name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Command: []string{agentPath, "agent", name}, Stdin: true, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	executor, err := remotecommand.NewWebSocketExecutor(p.cluster.rest, http.MethodGet, url.String())
	if err != nil {
		return nil, fmt.Errorf("start agent %s in pod %s: %w", name, p.pod.name, err)
	}
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	ctx, cancel := context.WithCancel(ctx)
	s := &podSession{what: "agent " + name + " in pod " + p.pod.name, in: inWrite, Reader: outRead, cancel: cancel, done: make(chan struct{})}
	go func() {
		s.ended = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: inRead, Stdout: outWrite, Stderr: &s.complaints})
		// In this order: who is woken by the end of a pipe asks how it ended.
		close(s.done)
		_ = inRead.CloseWithError(io.ErrClosedPipe)
		_ = outWrite.Close()
	}()
	return s, nil
}

// podSession is an agent in a pod.
type podSession struct {
	what string
	in   *io.PipeWriter
	io.Reader
	complaints complaints
	cancel     context.CancelFunc
	done       chan struct{}
	ended      error // once done is closed

	once sync.Once
	err  error
}

// complaints is what an agent has written to its standard error. The stream may
// go on writing when nobody waits for it any more.
type complaints struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *complaints) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.Write(b)
}

func (c *complaints) text() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.TrimSpace(c.b.String())
}

// Write writes to its standard input.
func (s *podSession) Write(b []byte) (int, error) { return s.in.Write(b) }

// Close ends the agent, which ends with its input.
func (s *podSession) Close() error {
	s.once.Do(func() {
		gone := false
		select {
		case <-s.done:
			gone = true
		default:
		}
		_ = s.in.Close()
		go func() { _, _ = io.Copy(io.Discard, s.Reader) }()
		select {
		case <-s.done:
		case <-time.After(farewell):
		}
		s.cancel()
		<-s.done
		if gone && s.ended != nil && !errors.Is(s.ended, context.Canceled) {
			s.err = fmt.Errorf("%s: %w: %s", s.what, s.ended, s.complaints.text())
		}
	})
	return s.err
}
