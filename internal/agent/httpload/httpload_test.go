package httpload_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"svcbench/internal/agent"
	"svcbench/internal/agent/agenttest"
	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/httpload"
	"svcbench/internal/stats"
)

var launcher = agenttest.Launcher{httpload.Name: httpload.Serve}

// asAgent makes the test binary the agent: this one sends from the network
// namespace of its process, so that a test in another one needs a process.
const asAgent = "SVCBENCH_TEST_AGENT"

func TestMain(m *testing.M) {
	if os.Getenv(asAgent) == "" {
		os.Exit(m.Run())
	}
	c := agent.NewConn(os.Stdin, os.Stdout)
	if err := httpload.Serve(context.Background(), c); err != nil {
		_ = c.Fail(err)
		os.Exit(1)
	}
}

// processes launches agents as processes inside a namespace.
type processes struct{ in *agenttest.Namespace }

func (p processes) Launch(ctx context.Context, _ string) (agent.Session, error) {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), asAgent+"=yes")
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return process{stdout, stdin, cmd}, p.in.Do(cmd.Start)
}

type process struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func (p process) Close() error {
	p.WriteCloser.Close()
	return p.cmd.Wait()
}

func decode(t testing.TB, hdr string) *stats.Histogram {
	t.Helper()
	h, err := stats.Decode(hdr)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// consistent checks what must be true of every result.
func consistent(t testing.TB, r *httpload.Result) {
	t.Helper()
	ended := r.Count + r.Censored
	for _, n := range r.Errors {
		ended += n
	}
	if r.Due != r.Sent+r.Dropped || r.Sent != ended || r.Late > r.Sent {
		t.Errorf("due %d, sent %d, dropped %d, late %d, ended %d", r.Due, r.Sent, r.Dropped, r.Late, ended)
	}
	response, service, lag := decode(t, r.Response), decode(t, r.Service), decode(t, r.Lag)
	if response.Count() != r.Count || service.Count() != r.Count || lag.Count() != r.Sent {
		t.Errorf("%d responses, %d services, %d lags of %d sent and %d answered", response.Count(), service.Count(), lag.Count(), r.Sent, r.Count)
	}
	if response.Count() > 0 && (service.Min() <= 0 || response.Max() < service.Max()) {
		t.Errorf("service times from %d to %d, response times up to %d", service.Min(), service.Max(), response.Max())
	}
}

// serve starts an HTTP server on the loopback device.
func serve(t testing.TB, h http.HandlerFunc) netip.AddrPort {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.Listener.Addr().(*net.TCPAddr).AddrPort()
}

// raw serves connections, of which the request has been read.
func raw(t testing.TB, handle func(*net.TCPConn)) netip.AddrPort {
	t.Helper()
	return agenttest.Listen(t, func(c *net.TCPConn) {
		var request [4096]byte
		if _, err := c.Read(request[:]); err == nil {
			handle(c)
		}
	})
}

func good(w http.ResponseWriter, _ *http.Request) { w.Header().Set(backend.Header, "10.244.0.1:8080") }

func TestOutcomes(t *testing.T) {
	for name, test := range map[string]struct {
		target netip.AddrPort
		want   string
	}{
		"answered":    {serve(t, good), ""},
		"refused":     {agenttest.NoService(t), errkind.Refused},
		"unreachable": {netip.MustParseAddrPort("255.255.255.255:80"), errkind.Unreachable},
		"silent":      {raw(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) }), errkind.Timeout},
		"closed":      {raw(t, func(*net.TCPConn) {}), errkind.Closed},
		"reset":       {raw(t, func(c *net.TCPConn) { _ = c.SetLinger(0) }), errkind.Reset},
		"cut short": {raw(t, func(c *net.TCPConn) {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
		}), errkind.Closed},
		"stranger": {serve(t, func(http.ResponseWriter, *http.Request) {}), errkind.WrongBackend},
		"long": {serve(t, func(w http.ResponseWriter, r *http.Request) {
			good(w, r)
			_, _ = w.Write(bytes.Repeat([]byte{'x'}, 100_000))
		}), errkind.WrongBackend},
		"status": {serve(t, func(w http.ResponseWriter, r *http.Request) {
			good(w, r)
			w.WriteHeader(http.StatusServiceUnavailable)
		}), errkind.Status},
		"redirected": {serve(t, func(w http.ResponseWriter, r *http.Request) {
			good(w, r)
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		}), errkind.Status},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if test.want == errkind.Timeout {
				timeout = 200 * time.Millisecond
			}
			r, err := httpload.Run(t.Context(), launcher, httpload.Spec{
				Targets: []netip.AddrPort{test.target}, KeepAlive: true,
				Rate: 100, Warmup: 50 * time.Millisecond, Duration: 100 * time.Millisecond, Timeout: timeout,
			})
			if err != nil {
				t.Fatal(err)
			}
			consistent(t, r)
			got := map[string]int64{"": r.Count, errkind.Timeout: r.Censored}
			for kind, n := range r.Errors {
				got[kind] += n
			}
			if r.Due != 10 || r.Sent == 0 || got[test.want] != r.Sent {
				t.Errorf("%d due, %d sent: %v, want 10 due and all sent %q", r.Due, r.Sent, got, test.want)
			}
		})
	}
}

// The other end stalls once. Few workers send few requests meanwhile: counted
// from when they were sent, hardly any was slow, but of those that were due
// meanwhile each was.
func TestStallIsNotOmitted(t *testing.T) {
	const stall = 500 * time.Millisecond
	var asked atomic.Int64
	over := make(chan struct{})
	target := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch n := asked.Add(1); {
		case n == 300:
			time.Sleep(stall)
			close(over)
		case n > 300:
			<-over
		}
		good(w, r)
	})
	r, err := httpload.Run(t.Context(), launcher, httpload.Spec{
		Targets: []netip.AddrPort{target}, KeepAlive: true, Workers: 4,
		Rate: 500, Duration: 1500 * time.Millisecond, Timeout: 10 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, r)
	if r.Count != 750 || r.Dropped != 0 {
		t.Errorf("%d answered, %d dropped, want 750 and 0", r.Count, r.Dropped)
	}
	const limit = int64(300 * time.Millisecond)
	if got := decode(t, r.Response).Quantile(0.99); got < limit {
		t.Errorf("p99 of response times is %v, want at least 300ms", time.Duration(got))
	}
	if got := decode(t, r.Service).Quantile(0.90); got >= limit {
		t.Errorf("p90 of service times is %v, want less than 300ms", time.Duration(got))
	}
	if got := decode(t, r.Lag).Quantile(0.99); got < limit || r.Late == 0 {
		t.Errorf("p99 of lag is %v with %d late, want at least 300ms and many", time.Duration(got), r.Late)
	}
}

// A target that hangs makes requests drop rather than the load last.
func TestHungTarget(t *testing.T) {
	began := time.Now()
	r, err := httpload.Run(t.Context(), launcher, httpload.Spec{
		Targets: []netip.AddrPort{raw(t, func(c *net.TCPConn) { _, _ = io.Copy(io.Discard, c) })}, Workers: 2,
		Rate: 1000, Duration: time.Second, Timeout: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, r)
	if r.Dropped < 500 || r.Censored == 0 || time.Since(began) > 20*time.Second {
		t.Errorf("%d dropped, %d censored in %v", r.Dropped, r.Censored, time.Since(began))
	}
}

// timeWaits counts the connections in TIME_WAIT of a namespace.
func timeWaits(t *testing.T, in *agenttest.Namespace) int {
	t.Helper()
	var table []byte
	in.Must(func() (err error) {
		table, err = os.ReadFile("/proc/thread-self/net/tcp")
		return err
	})
	n := 0
	for line := range strings.Lines(string(table)) {
		if fields := strings.Fields(line); len(fields) > 3 && fields[3] == "06" {
			n++
		}
	}
	return n
}

func TestBackends(t *testing.T) {
	client, server := agenttest.NewNamespace(t), agenttest.NewNamespace(t)
	agenttest.Connect(client, netip.MustParsePrefix("192.0.2.1/30"), server, netip.MustParsePrefix("192.0.2.2/30"))
	server.AnyIP(netip.MustParsePrefix("10.244.0.0/16"))
	b, err := backend.Start(t.Context(), agenttest.Launcher{backend.Name: server.Serve(backend.Serve)}, backend.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	spec := httpload.Spec{Rate: 500, Warmup: 500 * time.Millisecond, Duration: time.Second, Timeout: 10 * time.Second}
	for i := range 200 {
		spec.Targets = append(spec.Targets, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 244, 0, byte(i)}), backend.DefaultPort))
	}
	for _, keep := range []bool{true, false} {
		t.Run(fmt.Sprintf("keep=%v", keep), func(t *testing.T) {
			spec := spec
			spec.KeepAlive = keep
			before := agent.Now()
			r, err := httpload.Run(t.Context(), processes{client}, spec)
			if err != nil {
				t.Fatal(err)
			}
			consistent(t, r)
			if r.Start < before || r.End-r.Start != spec.Duration.Nanoseconds() || r.End > agent.Now() {
				t.Errorf("window from %d to %d, begun at %d", r.Start, r.End, before)
			}
			if r.Count != 500 || r.Due != 500 {
				t.Errorf("result %+v, want 500 answers", r)
			}
			// Which request opens a connection that two wait for is chance.
			if keep && (r.Reused < 250 || r.Opened > 250) {
				t.Errorf("kept connections: %d opened, %d reused, of which 200 were opened before", r.Opened, r.Reused)
			}
			if !keep && (r.Reused != 0 || r.Opened < 400) {
				t.Errorf("new connections: %d opened, %d reused, want about 500 and none", r.Opened, r.Reused)
			}
			if n := timeWaits(t, client); n > 0 {
				t.Errorf("%d connections in TIME_WAIT at the client", n)
			}
		})
	}
	if err := b.Off(t.Context(), spec.Targets[0].Addr()); err != nil {
		t.Fatal(err)
	}
	spec.Targets, spec.Timeout, spec.Rate, spec.Warmup = spec.Targets[:1], 100*time.Millisecond, 50, 0
	r, err := httpload.Run(t.Context(), processes{client}, spec)
	if err != nil {
		t.Fatal(err)
	}
	consistent(t, r)
	if r.Censored != r.Sent || r.Sent == 0 {
		t.Errorf("backend is off: %+v, want all time-outs", r)
	}
}

func TestRejects(t *testing.T) {
	fine := httpload.Spec{Targets: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:80")}, Rate: 1, Duration: time.Second, Timeout: time.Second}
	for want, change := range map[string]func(*httpload.Spec){
		"no targets":    func(s *httpload.Spec) { s.Targets = nil },
		"rate 0":        func(s *httpload.Spec) { s.Rate = 0 },
		"duration 0s":   func(s *httpload.Spec) { s.Duration = 0 },
		"warm-up -1s":   func(s *httpload.Spec) { s.Warmup = -time.Second },
		"time-out 0s":   func(s *httpload.Spec) { s.Timeout = 0 },
		"are more than": func(s *httpload.Spec) { s.Duration = 1 << 62 },
		"-1 workers":    func(s *httpload.Spec) { s.Workers = -1 },
		"not an IPv4":   func(s *httpload.Spec) { s.Targets = []netip.AddrPort{netip.MustParseAddrPort("[::1]:80")} },
	} {
		spec := fine
		change(&spec)
		if _, err := httpload.Run(t.Context(), launcher, spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want an error with %q, got %v", want, err)
		}
	}
}

func TestCancelled(t *testing.T) {
	why := errors.New("trial over")
	ctx, cancel := context.WithCancelCause(t.Context())
	spec := httpload.Spec{
		Targets: []netip.AddrPort{raw(t, func(c *net.TCPConn) {
			cancel(why)
			_, _ = io.Copy(io.Discard, c)
		})},
		Rate: 1, Duration: time.Minute, Timeout: time.Minute,
	}
	began := time.Now()
	if _, err := httpload.Run(ctx, launcher, spec); !errors.Is(err, why) || time.Since(began) > 10*time.Second {
		t.Errorf("cancelled: %v after %v, want %v at once", err, time.Since(began), why)
	}
}

// BenchmarkLag reports how late requests are sent and how long they take.
func BenchmarkLag(b *testing.B) {
	s, err := backend.Start(b.Context(), agenttest.Launcher{backend.Name: backend.Serve}, backend.Spec{Ports: []uint16{18080}})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	spec := httpload.Spec{Rate: 1000, Warmup: time.Second, Duration: 2 * time.Second, Timeout: 10 * time.Second}
	for i := range 100 {
		spec.Targets = append(spec.Targets, netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 1, byte(i)}), 18080))
	}
	for _, keep := range []bool{true, false} {
		b.Run(fmt.Sprintf("keep=%v", keep), func(b *testing.B) {
			spec := spec
			spec.KeepAlive = keep
			for b.Loop() {
				r, err := httpload.Run(b.Context(), launcher, spec)
				if err != nil {
					b.Fatal(err)
				}
				if r.Count != 2000 {
					b.Fatalf("%d of %d answered, %d dropped, %d timed out, failed: %v", r.Count, r.Due, r.Dropped, r.Censored, r.Errors)
				}
				for name, hdr := range map[string]string{"lag": r.Lag, "service": r.Service, "response": r.Response} {
					h := decode(b, hdr)
					b.ReportMetric(float64(h.Quantile(0.5))/1e3, "p50-"+name+"-us")
					b.ReportMetric(float64(h.Quantile(0.99))/1e3, "p99-"+name+"-us")
				}
				b.ReportMetric(float64(r.Health.GCs), "GCs")
				b.ReportMetric(100*r.Health.CPU.Seconds()/r.Health.Elapsed.Seconds(), "%cpu")
			}
		})
	}
}
