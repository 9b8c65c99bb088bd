package census

import (
	"bytes"
	"net/netip"
	"os"
	"strconv"
)

// linkLocal reports whether a is a link-local IPv6 address, which needs a device.
func linkLocal(a netip.AddrPort) bool {
	ip := a.Addr().Unmap()
	return ip.Is6() && ip.IsLinkLocalUnicast()
}

// zoned returns the addresses of s with the device of this index as their zone: its
// name in the namespace of s, or else the index.
func (t *tables) zoned(s *Socket, index uint32) (local, remote netip.AddrPort) {
	local, remote = s.Local, s.Remote
	if index == 0 {
		return local, remote
	}
	names, ok := t.devices[s.NetNS]
	if !ok {
		// The directory may be gone, with its thread.
		text, _ := os.ReadFile(t.dirs[s.NetNS] + "/net/if_inet6")
		names = parseDevices(text)
		t.devices[s.NetNS] = names
	}
	zone, ok := names[index]
	if !ok {
		zone = strconv.FormatUint(uint64(index), 10)
	}
	for _, a := range []*netip.AddrPort{&local, &remote} {
		if linkLocal(*a) {
			*a = netip.AddrPortFrom(a.Addr().WithZone(zone), a.Port())
		}
	}
	return local, remote
}

// parseDevices parses /proc/net/if_inet6. Each line has an address, the index of its
// device, the prefix length, scope and flags in hexadecimal, and the name of the
// device. See if6_seq_show of the kernel's net/ipv6/addrconf.c.
func parseDevices(text []byte) map[uint32]string {
	names := map[uint32]string{}
	for _, line := range bytes.Split(text, []byte("\n")) {
		fields := bytes.Fields(line)
		if len(fields) < 6 {
			continue
		}
		if index, err := strconv.ParseUint(string(fields[1]), 16, 32); err == nil {
			names[uint32(index)] = string(fields[5])
		}
	}
	return names
}
