package census

import (
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Pattern matches the addresses of one end of a connection.
type Pattern struct {
	prefix netip.Prefix // invalid: any
	port   uint16       // 0: any
	zone   string       // of the only address of prefix; empty: any
}

// errPattern says what a Pattern may be.
var errPattern = errors.New("want ADDR, CIDR, :port, ADDR:port or CIDR:port")

// ParsePattern reads ADDR, CIDR, :port, ADDR:port or CIDR:port. IPv6 before a
// port is in brackets, and a link-local address may have the zone of one device.
func ParsePattern(s string) (Pattern, error) {
	if p, err := parsePrefix(unbracket(s)); err == nil {
		return p, nil
	} else if err != errPattern {
		return Pattern{}, err
	}
	host, port, ok := cutLast(s, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return Pattern{}, errPattern
	}
	if host == "" {
		return Pattern{port: uint16(n)}, nil
	}
	bare := unbracket(host)
	p, err := parsePrefix(bare)
	if err == nil && strings.Contains(bare, ":") && bare == host {
		err = errPattern // Nobody knows where the address ends.
	}
	p.port = uint16(n)
	return p, err
}

// parsePrefix reads ADDR or CIDR.
func parsePrefix(s string) (Pattern, error) {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		return Pattern{prefix: prefix.Masked()}, nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return Pattern{}, errPattern
	}
	zone := a.Zone()
	if zone != "" && !a.IsLinkLocalUnicast() {
		return Pattern{}, errors.New("only a link-local address has a zone")
	}
	a = a.WithZone("").Unmap()
	return Pattern{prefix: netip.PrefixFrom(a, a.BitLen()), zone: zone}, nil
}

func unbracket(s string) string {
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		return strings.TrimSuffix(inner, "]")
	}
	return s
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// match reports whether p matches a. An IPv4 address of an IPv6 socket is an IPv4
// address.
func (p *Pattern) match(a netip.AddrPort) bool {
	return p.mayMatch(a) && (p.zone == "" || p.zone == a.Addr().Zone())
}

// mayMatch is match for an address with an unknown zone.
func (p *Pattern) mayMatch(a netip.AddrPort) bool {
	return (p.port == 0 || p.port == a.Port()) &&
		(!p.prefix.IsValid() || p.prefix.Contains(a.Addr().WithZone("").Unmap()))
}

// matchAny reports whether any of patterns matches a by match. An empty list matches
// every address.
func matchAny(patterns []Pattern, a netip.AddrPort, match func(*Pattern, netip.AddrPort) bool) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p Pattern) bool { return match(&p, a) })
}
