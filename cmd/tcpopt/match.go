package main

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A pattern matches the addresses of one end of a connection. The nil pattern
// matches any.
type pattern struct {
	prefix netip.Prefix // invalid: any
	port   uint16       // 0: any
}

// parsePattern reads ADDR, CIDR, :port or ADDR:port.
func parsePattern(s string) (*pattern, error) {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 {
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		return &pattern{prefix: prefix.Masked()}, nil
	}
	bare := s
	if inner, ok := strings.CutPrefix(s, "["); ok && strings.HasSuffix(inner, "]") {
		bare = strings.TrimSuffix(inner, "]")
	}
	if a, err := netip.ParseAddr(bare); err == nil {
		return &pattern{prefix: single(a)}, nil
	}
	host, port, ok := cutLast(s, ":")
	n, err := strconv.ParseUint(port, 10, 16)
	if !ok || err != nil || n == 0 {
		return nil, errors.New("want ADDR, CIDR, :port or ADDR:port")
	}
	if host == "" {
		return &pattern{port: uint16(n)}, nil
	}
	ap, err := netip.ParseAddrPort(s)
	if err != nil {
		return nil, errors.New("want ADDR, CIDR, :port or ADDR:port")
	}
	return &pattern{prefix: single(ap.Addr()), port: ap.Port()}, nil
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
func (p *pattern) match(a netip.AddrPort) bool {
	return p == nil || (p.port == 0 || p.port == a.Port()) &&
		(!p.prefix.IsValid() || p.prefix.Contains(a.Addr().Unmap()))
}

// patternFlag and the types below are kinds of flags.
type patternFlag struct{ p **pattern }

func (f patternFlag) String() string { return "" }

func (f patternFlag) Set(s string) (err error) {
	*f.p, err = parsePattern(s)
	return err
}

type pidsFlag struct{ pids *[]int }

func (f pidsFlag) String() string { return "" }

func (f pidsFlag) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n <= 0 {
		return errors.New("want the number of a process")
	}
	if !slices.Contains(*f.pids, int(n)) {
		*f.pids = append(*f.pids, int(n))
	}
	return nil
}

type fdFlag struct{ fd *int }

func (f fdFlag) String() string { return "" }

func (f fdFlag) Set(s string) error {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil || n < 0 {
		return errors.New("want the number of a descriptor")
	}
	*f.fd = int(n)
	return nil
}

type nameFlag struct{ name *string }

func (f nameFlag) String() string { return "" }

func (f nameFlag) Set(s string) error {
	if s == "" {
		return errors.New("want the name of a command")
	}
	*f.name = s
	return nil
}

type stateFlag struct{ state *string }

func (f stateFlag) String() string { return "" }

func (f stateFlag) Set(s string) error {
	name := strings.ToLower(s)
	switch name {
	case "estab":
		name = "established"
	case "listening":
		name = "listen"
	}
	if !slices.Contains(ownable, name) {
		return fmt.Errorf("want one of %s", strings.Join(ownable, ", "))
	}
	*f.state = name
	return nil
}

// wordFlag takes one of a few words.
type wordFlag struct {
	word  *string
	words []string
}

func (f wordFlag) String() string { return "" }

func (f wordFlag) Set(s string) error {
	if !slices.Contains(f.words, s) {
		return fmt.Errorf("want %s", strings.Join(f.words, " or "))
	}
	*f.word = s
	return nil
}

// timeFlag takes a duration, and a bare 0 if it may be zero. It is nil until
// then.
type timeFlag struct {
	d    **time.Duration
	zero bool
}

func (f timeFlag) String() string { return "" }

func (f timeFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil:
		return errors.New("want a duration such as 30s or 1m30s")
	case d < 0 && f.zero:
		return errors.New("want 0 or more")
	case d <= 0 && !f.zero:
		return errors.New("want more than 0")
	}
	*f.d = &d
	return nil
}
