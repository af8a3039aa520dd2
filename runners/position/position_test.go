package position

import (
	"net/netip"
	"testing"

	"svcbench/internal/results"
)

func order(n int) []netip.Addr {
	ips := make([]netip.Addr, n)
	ip := netip.MustParseAddr("10.96.1.0")
	for i := range ips {
		ips[i], ip = ip, ip.Next()
	}
	return ips
}

func TestSizes(t *testing.T) {
	for _, c := range []struct{ n, each, all int }{
		{1, 0, 1}, {3, 0, 3}, {4, 1, 1}, {20, 1, 17}, {40, 2, 34}, {100, 5, 85}, {5000, 5, 4985},
	} {
		got := New(order(c.n), true)
		if len(got.First) != c.each || len(got.Middle) != c.each || len(got.Last) != c.each || len(got.All) != c.all {
			t.Errorf("%d Services: %d first, %d middle, %d last, %d all; want %d each and %d", c.n,
				len(got.First), len(got.Middle), len(got.Last), len(got.All), c.each, c.all)
		}
		total := map[string]int{}
		for _, ip := range order(c.n) {
			class, ok := got.Of(ip)
			if !ok {
				t.Errorf("%d Services: %v has no class", c.n, ip)
			}
			total[class]++
		}
		if total[results.ClassAll] != c.all || total[results.ClassMiddle] != c.each {
			t.Errorf("%d Services: %v", c.n, total)
		}
	}
}

func TestPlaces(t *testing.T) {
	ips := order(1000)
	c := New(ips, true)
	for i, want := range map[int]string{
		0: results.ClassFirst, 4: results.ClassFirst, 5: results.ClassAll,
		496: results.ClassAll, 497: results.ClassMiddle, 501: results.ClassMiddle, 502: results.ClassAll,
		994: results.ClassAll, 995: results.ClassLast, 999: results.ClassLast,
	} {
		if got, _ := c.Of(ips[i]); got != want {
			t.Errorf("place %d is %q, want %q", i, got, want)
		}
	}
	for i, want := range map[int]string{0: "d01", 99: "d01", 100: "d02", 899: "d09", 999: "d10"} {
		if got, _ := c.TenthOf(ips[i]); got != want {
			t.Errorf("place %d is in %q, want %q", i, got, want)
		}
	}
	if class, ok := c.Of(netip.MustParseAddr("10.96.0.1")); ok {
		t.Errorf("a stranger is %q", class)
	}
}

func TestNoOrder(t *testing.T) {
	c := New(order(100), false)
	if tenth, ok := c.TenthOf(order(100)[0]); ok {
		t.Errorf("without an order of rules, a Service is in tenth %q", tenth)
	}
}
