package runners

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"

	"svcbench/clusters"
	"svcbench/internal/agent"
	"svcbench/runners/churn"
	"svcbench/runners/population"
	"svcbench/scenarios"
)

// scriptedTable answers one look after the other, the last for ever.
type scriptedTable struct {
	mu     sync.Mutex
	looks  [][]netip.Addr
	err    error
	closed bool
	late   bool // it was asked after it was closed
}

func (s *scriptedTable) Endpoints(netip.AddrPort, scenarios.Protocol) ([]netip.Addr, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.late = s.late || s.closed
	found := s.looks[0]
	if len(s.looks) > 1 {
		s.looks = s.looks[1:]
	}
	return found, s.err
}

func (s *scriptedTable) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return nil
}

// A change is in the tables when they have the new endpoints, all and alone.
func TestAwaitTable(t *testing.T) {
	a, b, c := podIP(1), podIP(2), podIP(3)
	service := netip.MustParseAddrPort("10.96.0.7:80")
	before := agent.Now()
	table := &scriptedTable{looks: [][]netip.Addr{{c}, {c, a}, {a}, {b, a}}}
	if at, err := awaitTable(t.Context(), table, service, scenarios.TCP, []netip.Addr{a, b}); at < before || err != nil || len(table.looks) != 1 {
		t.Errorf("seen at %d, %v, with %d looks left", at, err, len(table.looks))
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if at, err := awaitTable(ended, &scriptedTable{looks: [][]netip.Addr{{c}}}, service, scenarios.TCP, []netip.Addr{a}); at != 0 || err != nil {
		t.Errorf("never there: seen at %d, %v", at, err)
	}
	broken := errors.New("bad file descriptor")
	if _, err := awaitTable(t.Context(), &scriptedTable{looks: [][]netip.Addr{nil}, err: broken}, service, scenarios.TCP, []netip.Addr{a}); !errors.Is(err, broken) {
		t.Errorf("unreadable: %v", err)
	}
}

// Whoever stopped looking may close the tables.
func TestNobodyLooksIntoClosedTables(t *testing.T) {
	network := clusters.Network{Services: netip.MustParsePrefix("10.96.0.0/16"), Pods: netip.MustParsePrefix("10.244.0.0/16")}
	p, err := population.New(network, scenarios.Point{Services: 2, Endpoints: 1}, scenarios.Population{Ports: 1}, 2)
	if err != nil {
		t.Fatal(err)
	}
	table := &scriptedTable{looks: [][]netip.Addr{{podIP(1)}}}
	e := &churner{f: &inFlight{population: p, trial: Trial{scenario: &scenarios.Scenario{}}}, table: table}
	stop := e.programmed(t.Context(), churn.First(p, 0))
	for range 2 {
		if at, err := stop(); at != 0 || err != nil {
			t.Errorf("seen at %d, %v", at, err)
		}
	}
	table.Close()
	time.Sleep(3 * tableInterval) // what goes on would look by then
	table.mu.Lock()
	defer table.mu.Unlock()
	if table.late {
		t.Error("a closed table was read")
	}
	if at, err := (&churner{}).programmed(t.Context(), churn.Service{})(); at != 0 || err != nil {
		t.Errorf("without tables: %d, %v", at, err)
	}
}
