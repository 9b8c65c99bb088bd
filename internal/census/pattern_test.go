package census

import (
	"net/netip"
	"testing"
)

func TestPattern(t *testing.T) {
	for _, tt := range []struct {
		name, pattern, address string
		want                   bool
	}{
		{"address", "10.0.0.1", "10.0.0.1:5432", true},
		{"another address", "10.0.0.1", "10.0.0.2:5432", false},
		{"port", ":5432", "10.0.0.2:5432", true},
		{"port of IPv6", ":5432", "[fd00::1]:5432", true},
		{"another port", ":5432", "10.0.0.2:5433", false},
		{"address and port", "10.0.0.1:5432", "10.0.0.1:5432", true},
		{"address and another port", "10.0.0.1:5432", "10.0.0.1:5433", false},
		{"another address and port", "10.0.0.1:5432", "10.0.0.2:5432", false},
		{"network", "10.0.0.0/8", "10.200.0.1:1", true},
		{"network by a host of it", "10.1.2.3/8", "10.200.0.1:1", true},
		{"another network", "10.0.0.0/8", "11.0.0.1:1", false},
		{"all of IPv4", "0.0.0.0/0", "11.0.0.1:1", true},
		{"all of IPv4, but IPv6", "0.0.0.0/0", "[fd00::1]:1", false},
		{"all of IPv6", "::/0", "[fd00::1]:1", true},
		{"IPv4 that an IPv6 socket has", "10.0.0.1", "[::ffff:10.0.0.1]:5432", true},
		{"network of what an IPv6 socket has", "10.0.0.0/8", "[::ffff:10.0.0.1]:5432", true},
		{"mapped in the pattern", "::ffff:10.0.0.1", "10.0.0.1:5432", true},
		{"mapped network in the pattern", "::ffff:10.0.0.0/104", "10.0.0.1:5432", true},
		{"IPv6", "fd00::1", "[fd00::1]:5432", true},
		{"IPv6 in brackets", "[fd00::1]", "[fd00::1]:5432", true},
		{"IPv6 and port", "[fd00::1]:5432", "[fd00::1]:5432", true},
		{"IPv6 and another port", "[fd00::1]:5432", "[fd00::1]:5433", false},
		{"IPv6 network", "fd00::/8", "[fd12::1]:5432", true},
		{"network and port", "10.0.0.0/8:5432", "10.0.0.1:5432", true},
		{"network and another port", "10.0.0.0/8:5432", "10.0.0.1:5433", false},
		{"another network and port", "10.0.0.0/8:5432", "11.0.0.1:5432", false},
		{"IPv6 network and port", "[fd00::/8]:5432", "[fd12::1]:5432", true},
		{"IPv6 network and another port", "[fd00::/8]:5432", "[fd12::1]:5433", false},
		{"IPv6 network in brackets", "[fd00::/8]", "[fd12::1]:5432", true},
		{"zone", "fe80::1%eth0", "[fe80::1%eth0]:5432", true},
		{"zone and port", "[fe80::1%eth0]:5432", "[fe80::1%eth0]:5432", true},
		{"zone and another port", "[fe80::1%eth0]:5432", "[fe80::1%eth0]:5433", false},
		{"zone of another device", "fe80::1%eth0", "[fe80::1%eth1]:5432", false},
		{"zone of no device", "fe80::1%eth0", "[fe80::1]:5432", false},
		{"any zone", "fe80::1", "[fe80::1%eth0]:5432", true},
		{"network of any zone", "fe80::/10", "[fe80::1%eth0]:5432", true},
	} {
		p, err := ParsePattern(tt.pattern)
		if err != nil {
			t.Errorf("%s: ParsePattern(%q): %v", tt.name, tt.pattern, err)
			continue
		}
		if got := p.match(netip.MustParseAddrPort(tt.address)); got != tt.want {
			t.Errorf("%s: %q matches %s = %v, want %v", tt.name, tt.pattern, tt.address, got, tt.want)
		}
	}
	one, other := Pattern{port: 1}, Pattern{port: 2}
	for _, tt := range []struct {
		name     string
		patterns []Pattern
		want     bool
	}{
		{"none", nil, true},
		{"another", []Pattern{other}, false},
		{"both", []Pattern{other, one}, true},
	} {
		if got := matchAny(tt.patterns, netip.MustParseAddrPort("10.0.0.1:1"), (*Pattern).match); got != tt.want {
			t.Errorf("%s: matchAny = %v, want %v", tt.name, got, tt.want)
		}
	}
	for _, s := range []string{"", ":", ":0", ":-1", ":65536", ":http", "10.0.0", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:x",
		"10.0.0.0/33", "10.0.0.0/33:80", "10.0.0.0/8:0", "fd00::/8:80", "[fd00::/129]:80", "fe80::/10%eth0", "[[::1]]:80", "fd00::1%eth0", "10.0.0.1%eth0", "localhost", "localhost:80", "fd00::1:zz", "[fd00::1", "::/129", " 10.0.0.1", "80"} {
		if p, err := ParsePattern(s); err == nil {
			t.Errorf("ParsePattern(%q) = %+v, want an error", s, p)
		}
	}
}
