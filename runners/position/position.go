// Package position sorts the Services of a population by where they stand in
// the order in which the kernel compares a packet with its rules. A mode that
// searches its rules one after the other answers the last Service later than
// the first, and only a comparison by position shows that.
package position

import (
	"fmt"
	"net/netip"

	"svcbench/internal/results"
)

// most is the largest number of Services of one position.
const most = 5

// Classes says to which position each Service belongs.
type Classes struct {
	// First, Middle and Last are the cluster IPs at those positions, All are
	// the rest, each in the order given. A population too small for three
	// positions and a rest leaves some empty, but never All.
	First, Middle, Last, All []netip.Addr

	class map[netip.Addr]string
	tenth map[netip.Addr]string
}

// New sorts cluster IPs that are given in the order of the rules. ranked says
// that it is the kernel's order and not just a list, so that tenths of it mean
// something. Each position has max(1, min(5, n/20)) of n Services.
func New(order []netip.Addr, ranked bool) *Classes {
	c := &Classes{class: map[netip.Addr]string{}, tenth: map[netip.Addr]string{}}
	n := len(order)
	k := max(1, min(most, n/20))
	if n > 3*k {
		c.First, c.Last = order[:k], order[n-k:]
		middle := (n - k) / 2
		c.Middle = order[middle : middle+k]
	}
	for _, set := range []struct {
		class string
		ips   []netip.Addr
	}{{results.ClassFirst, c.First}, {results.ClassMiddle, c.Middle}, {results.ClassLast, c.Last}} {
		for _, ip := range set.ips {
			c.class[ip] = set.class
		}
	}
	for i, ip := range order {
		if _, ok := c.class[ip]; !ok {
			c.class[ip] = results.ClassAll
			c.All = append(c.All, ip)
		}
		if ranked {
			c.tenth[ip] = Tenth(i, n)
		}
	}
	return c
}

// Of returns the class of a cluster IP, and false for an address that is none
// of the population.
func (c *Classes) Of(ip netip.Addr) (string, bool) {
	class, ok := c.class[ip]
	return class, ok
}

// TenthOf returns the class of the tenth of the rule order that a cluster IP is
// in, and false where there is no such order.
func (c *Classes) TenthOf(ip netip.Addr) (string, bool) {
	tenth, ok := c.tenth[ip]
	return tenth, ok
}

// Tenth returns the class "d01" to "d10" of place i, from 0, among n.
func Tenth(i, n int) string { return fmt.Sprintf("d%02d", 10*i/n+1) }
