package httpload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"svcbench/internal/agent/backend"
	"svcbench/internal/agent/errkind"
	"svcbench/internal/agent/spread"
)

const (
	// seqHeader is where vegeta writes the number of a request.
	seqHeader = "X-Vegeta-Seq"
	// maxBody is far more than a backend answers.
	maxBody = 4096
)

// request is what becomes of one request. A worker writes it before vegeta
// hands over its result.
type request struct {
	number int    // in the schedule
	kind   string // of failure; empty if it was answered well
	reused bool   // went over a kept connection
}

// client sends vegeta's requests and judges the answers, which vegeta cannot:
// it tells failures only as texts.
type client struct {
	ctx      context.Context // ends all requests
	timeout  time.Duration
	requests []request // by the number vegeta gives them
	dialer   net.Dialer
	pool     *http.Transport
	begin    time.Time // from when on opened counts
	opened   atomic.Int64
}

var _ http.RoundTripper = (*client)(nil)

func newClient(ctx context.Context, spec Spec, begin time.Time, requests []request) *client {
	c := &client{ctx: ctx, timeout: spec.Timeout, begin: begin, requests: requests}
	// No LocalAddr: a socket that is bound before connect shares the local
	// ports with the connections to all targets. No keep-alive probes: they
	// cost system calls.
	c.dialer = net.Dialer{Timeout: spec.Timeout, KeepAlive: -1}
	c.pool = &http.Transport{
		DialContext:        c.dial,
		DisableKeepAlives:  !spec.KeepAlive,
		DisableCompression: true,
		// All workers may be at the same target; what they open there
		// stays, whatever the number of targets.
		MaxIdleConnsPerHost: spec.Workers,
	}
	return c
}

// dial opens a connection that is aborted when it is closed. That happens only
// after its last answer was read, and leaves no TIME_WAIT on this side, of
// which there would be one for each request that has its own connection.
//
// The context given lasts as long as the transport wants the connection, which
// may be longer than this client; it only adds values for tracing.
func (c *client) dial(_ context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.dialer.DialContext(c.ctx, network, addr)
	if err != nil {
		return nil, err
	}
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if time.Since(c.begin) >= 0 {
		c.opened.Add(1)
	}
	return conn, nil
}

// RoundTrip reads the whole answer and notes how the request ended.
func (c *client) RoundTrip(req *http.Request) (*http.Response, error) {
	seq, err := strconv.ParseUint(req.Header.Get(seqHeader), 10, 64)
	if err != nil || seq >= uint64(len(c.requests)) {
		return nil, fmt.Errorf("request without a number: %q", req.Header.Get(seqHeader))
	}
	r := &c.requests[seq]
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) { r.reused = info.Reused },
	})
	resp, err := c.pool.RoundTrip(req.WithContext(ctx))
	if err != nil {
		r.kind = errkind.Of(err)
		return nil, err
	}
	body, err := readAll(resp.Body)
	if err != nil {
		r.kind = errkind.Of(err)
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	r.kind = judge(resp, len(body))
	return resp, nil
}

// readAll reads a body to its end, without which its connection could not be
// kept, or to one byte more than a backend may answer.
func readAll(body io.ReadCloser) ([]byte, error) {
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, maxBody+1))
}

// judge returns the kind of failure of an answer; empty if it has none.
func judge(resp *http.Response, size int) string {
	if resp.StatusCode != http.StatusOK {
		return errkind.Status
	}
	if _, err := netip.ParseAddrPort(resp.Header.Get(backend.Header)); err != nil || size > maxBody {
		return errkind.WrongBackend
	}
	return ""
}

// targeter returns what names the target of each request. Workers call it in
// about the order of their requests.
func (s Spec) targeter() vegeta.Targeter {
	urls := make([]string, len(s.Targets))
	for i, t := range s.Targets {
		urls[i] = "http://" + t.String() + "/"
	}
	place, turn := spread.New(s.Seed), int(s.Seed%uint64(len(urls)))
	next := func() int {
		if !s.KeepAlive {
			return place.Next(len(urls))
		}
		turn = (turn + 1) % len(urls)
		return turn
	}
	var mu sync.Mutex
	return func(t *vegeta.Target) error {
		mu.Lock()
		defer mu.Unlock()
		t.Method = http.MethodGet
		t.URL = urls[next()]
		return nil
	}
}
