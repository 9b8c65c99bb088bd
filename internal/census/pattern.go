package census

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// A Pattern matches the addresses of one end of a connection. The nil pattern
// matches any.
type Pattern struct {
	prefix netip.Prefix // invalid: any
	port   uint16       // 0: any
}

// ParsePattern reads ADDR, CIDR, :port or ADDR:port.
func ParsePattern(s string) (*Pattern, error) {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		return &Pattern{prefix: prefix.Masked()}, nil
	}
	bare := s
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		bare = strings.TrimSuffix(inner, "]")
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		return &Pattern{prefix: single(a)}, nil
	}
	host, port, ok := cutLast(s, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return nil, errors.New("want ADDR, CIDR, :port or ADDR:port")
	}
	if host == "" {
		return &Pattern{port: uint16(n)}, nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, errors.New("want ADDR, CIDR, :port or ADDR:port")
	}
	return &Pattern{prefix: single(ap.Addr()), port: ap.Port()}, nil
}

// single is the prefix that holds a alone. The kernel's tables have no zones.
func single(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	return netip.PrefixFrom(a, a.BitLen())
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// match reports whether p matches a. An IPv4 address that an IPv6 socket has is
// an IPv4 address.
func (p *Pattern) match(a netip.AddrPort) bool {
	return p == nil || (p.port == 0 || p.port == a.Port()) &&
		(!p.prefix.IsValid() || p.prefix.Contains(a.Addr().Unmap()))
}
