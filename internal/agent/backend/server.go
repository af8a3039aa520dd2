package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"svcbench/internal/agent/identity"
)

const (
	// silence is how long a client may say nothing, or take to say what it
	// wants, before it is dropped.
	silence = 10 * time.Second
	// idle is how long a kept connection may rest between two requests:
	// longer than a load over many Services leaves any of them alone.
	idle = 5 * time.Minute
	// shortage is the pause after the process ran out of descriptors.
	shortage = 5 * time.Millisecond
)

// server is the open ports and what serves them.
type server struct {
	listeners []*net.TCPListener
	datagrams []*net.UDPConn
	web       *http.Server
	handed    *handOver
	waiting   *waiting
	accepting sync.WaitGroup
	// failed gets the first error that ended serving.
	failed chan error
}

// listen opens the ports in the current network namespace and serves them.
func listen(ctx context.Context, spec Spec) (*server, error) {
	ports := spec.Ports
	if len(ports) == 0 {
		ports = []uint16{DefaultPort}
	}
	s := &server{failed: make(chan error, 1), waiting: newWaiting()}
	if err := s.open(ctx, ports); err != nil {
		_ = s.closePorts()
		return nil, err
	}
	s.handed = newHandOver(s.listeners[0].Addr())
	s.web = newWeb()
	s.accepting.Go(func() {
		if err := s.web.Serve(s.handed); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("serve HTTP: %w", err))
		}
	})
	for _, l := range s.listeners {
		for range runtime.GOMAXPROCS(0) {
			s.accepting.Go(func() { s.fail(s.accept(l)) })
		}
	}
	for i, c := range s.datagrams {
		s.accepting.Go(func() { s.fail(answerUDP(c, ports[i])) })
	}
	return s, nil
}

// open opens every port for both protocols.
func (s *server) open(ctx context.Context, ports []uint16) error {
	for _, port := range ports {
		l, err := listenPort(ctx, port)
		if err != nil {
			return err
		}
		s.listeners = append(s.listeners, l)
		c, err := listenUDP(ctx, port)
		if err != nil {
			return err
		}
		s.datagrams = append(s.datagrams, c)
	}
	return nil
}

func (s *server) closePorts() error {
	var errs []error
	for _, l := range s.listeners {
		errs = append(errs, l.Close())
	}
	for _, c := range s.datagrams {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// listenPort opens a port on all addresses. The kernel keeps connections to
// itself until their first byte is there (TCP_DEFER_ACCEPT): a client that
// connects, measures and aborts, thousands of times a second, never costs this
// process anything. The handshake the client sees is the same.
func listenPort(ctx context.Context, port uint16) (*net.TCPListener, error) {
	config := net.ListenConfig{
		KeepAlive: -1, // saves four system calls a connection
		Control: func(_, _ string, raw syscall.RawConn) error {
			var failed error
			err := raw.Control(func(fd uintptr) {
				failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, int(silence/time.Second))
			})
			return errors.Join(err, os.NewSyscallError("setsockopt TCP_DEFER_ACCEPT", failed))
		},
	}
	l, err := config.Listen(ctx, "tcp4", fmt.Sprintf("0.0.0.0:%d", port))
	if err != nil {
		return nil, fmt.Errorf("open port %d for backends: %w", port, err)
	}
	return l.(*net.TCPListener), nil
}

func (s *server) fail(err error) {
	if err == nil {
		return
	}
	select {
	case s.failed <- err:
	default: // the first one counts
	}
}

// accept serves connections until the listener is closed.
func (s *server) accept(l *net.TCPListener) error {
	for {
		c, err := l.AcceptTCP()
		switch {
		case err == nil:
			s.welcome(c)
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, unix.ECONNABORTED):
		case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
			if !s.waiting.pause(shortage) {
				return nil
			}
		default:
			return fmt.Errorf("accept connections to backends: %w", err)
		}
	}
}

// welcome serves a new connection without waiting for it: nearly always its
// first byte is there already. The rare one without (the kernel defers for a
// limited time only, and not at all under SYN cookies) waits elsewhere.
func (s *server) welcome(c *net.TCPConn) {
	first, err := firstByte(c)
	switch {
	case errors.Is(err, unix.EAGAIN):
		s.waiting.wait(c, s.dispatch)
	case err != nil:
		c.Close()
	default:
		s.dispatch(c, first)
	}
}

// dispatch serves a connection by its first byte, which has been read.
func (s *server) dispatch(c *net.TCPConn, first byte) {
	if first != identity.Question {
		s.handed.give(&resumed{Conn: c, first: first, pending: true})
		return
	}
	_ = identity.Answer(c) // a client that has gone is its own affair
	c.Close()
}

// firstByte reads one byte if there is one, else it returns EAGAIN.
func firstByte(c *net.TCPConn) (byte, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var b [1]byte
	var n int
	var failed error
	err = raw.Control(func(fd uintptr) { n, failed = unix.Read(int(fd), b[:]) })
	switch {
	case err != nil:
		return 0, err
	case failed != nil:
		return 0, failed
	case n == 0:
		return 0, net.ErrClosed
	}
	return b[0], nil
}

// close ends everything and waits for it.
func (s *server) close() error {
	closed := s.closePorts()
	s.waiting.close()
	err := errors.Join(closed, s.web.Close())
	s.accepting.Wait()
	s.waiting.finish()
	return err
}

// newWeb returns the HTTP side.
func newWeb() *http.Server {
	return &http.Server{
		Handler:           http.HandlerFunc(answer),
		ConnContext:       withBackend,
		ReadHeaderTimeout: silence,
		IdleTimeout:       idle,
		// Clients that abort are normal here and not worth a log line.
		ErrorLog: log.New(io.Discard, "", 0),
	}
}
