package netlab

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// What x/sys lacks: linux/veth.h, linux/pkt_sched.h, linux/rtnetlink.h.
const (
	sysVethInfoPeer = 1 // VETH_INFO_PEER
	sysTBFParms     = 1 // TCA_TBF_PARMS
	sysTBFBurst     = 6 // TCA_TBF_BURST
	sysTCKind       = 1 // TCA_KIND
	sysTCOptions    = 2 // TCA_OPTIONS
	sysTCRoot       = 0xffffffff
)

// tcMsg is struct tcmsg.
type tcMsg struct {
	Family               uint8
	_                    [3]uint8
	Index                int32
	Handle, Parent, Info uint32
}

// tbfQopt is struct tc_tbf_qopt.
type tbfQopt struct {
	Rate, Peak         tcRate
	Limit, Buffer, MTU uint32
}

// tcRate is struct tc_ratespec.
type tcRate struct {
	CellLog, LinkLayer uint8
	Overhead           uint16
	CellAlign          int16
	MPU                uint16
	Rate               uint32
}

// loopback is the first interface of every namespace.
const loopback = 1

// address brings up the loopback interface and gives it addresses. They belong to the
// host, whichever interface packets use.
func (ns *namespace) address(addrs ...netip.Addr) error {
	up := unix.IfInfomsg{Index: loopback, Flags: unix.IFF_UP, Change: unix.IFF_UP}
	if err := ns.request("lo", unix.RTM_NEWLINK, 0, up); err != nil {
		return err
	}
	for _, a := range addrs {
		m := unix.IfAddrmsg{
			Family:    family(a),
			Prefixlen: uint8(a.BitLen()),
			Flags:     unix.IFA_F_NODAD,
			Index:     loopback,
		}
		if err := ns.request(a.String(), unix.RTM_NEWADDR, unix.NLM_F_CREATE|unix.NLM_F_EXCL, m,
			attr(unix.IFA_LOCAL, a.AsSlice()), attr(unix.IFA_ADDRESS, a.AsSlice())); err != nil {
			return err
		}
		if a.Is4() {
			continue
		}
		// The kernel adds the local route of an IPv6 address some time later. Until
		// then it drops what arrives for it.
		local := unix.RtMsg{
			Family:   unix.AF_INET6,
			Dst_len:  uint8(a.BitLen()),
			Table:    unix.RT_TABLE_LOCAL,
			Protocol: unix.RTPROT_STATIC,
			Type:     unix.RTN_LOCAL,
		}
		if err := ns.request("local route", unix.RTM_NEWROUTE, unix.NLM_F_CREATE, local,
			attr(unix.RTA_DST, a.AsSlice()), attr(unix.RTA_OIF, encode(uint32(loopback)))); err != nil {
			return err
		}
	}
	return nil
}

// plug makes interface number index of ns, and number port of router at the other end
// of its wire. Both have the same hardware address and no ARP, so each finds the other
// without asking.
func (ns *namespace) plug(index int, name string, router *namespace, port int, portName string) error {
	const up = unix.IFF_UP | unix.IFF_NOARP
	mac := attr(unix.IFLA_ADDRESS, []byte{2, 0, 0, 0, 0, 1})
	var err error
	if e := ns.control(func(fd int) {
		peer := slices.Concat(encode(unix.IfInfomsg{Index: int32(index)}),
			attr(unix.IFLA_IFNAME, []byte(name+"\x00")), mac, attr(unix.IFLA_NET_NS_FD, encode(uint32(fd))))
		err = router.request("veth", unix.RTM_NEWLINK, unix.NLM_F_CREATE|unix.NLM_F_EXCL,
			unix.IfInfomsg{Index: int32(port), Flags: up, Change: up},
			attr(unix.IFLA_IFNAME, []byte(portName+"\x00")), mac,
			attr(unix.IFLA_LINKINFO,
				attr(unix.IFLA_INFO_KIND, []byte("veth")),
				attr(unix.IFLA_INFO_DATA, attr(sysVethInfoPeer, peer))))
	}); e != nil {
		return e
	}
	if err != nil {
		return err
	}
	if err := ns.request(name, unix.RTM_NEWLINK, 0, unix.IfInfomsg{Index: int32(index), Flags: up, Change: up}); err != nil {
		return err
	}
	// The end that comes up last has a carrier at once. The kernel sees the carrier of
	// the other some time later, and drops everything until then; a new queue makes it
	// look.
	return router.queue(port, 0, 0)
}

// route sends packets for the addresses of to through the interface port, or drops them
// silently if port is 0.
func (ns *namespace) route(to *Host, port int) error {
	for _, a := range []netip.Addr{to.IPv4, to.IPv6} {
		m := unix.RtMsg{
			Family:   family(a),
			Dst_len:  uint8(a.BitLen()),
			Table:    unix.RT_TABLE_MAIN,
			Protocol: unix.RTPROT_STATIC,
			Type:     unix.RTN_BLACKHOLE,
		}
		attrs := attr(unix.RTA_DST, a.AsSlice())
		if port != 0 {
			m.Type = unix.RTN_UNICAST
			m.Scope = unix.RT_SCOPE_LINK
			attrs = append(attrs, attr(unix.RTA_OIF, encode(uint32(port)))...)
		}
		if err := ns.request("route", unix.RTM_NEWROUTE, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m, attrs); err != nil {
			return err
		}
	}
	return nil
}

// queue limits what leaves through the interface port: tc-tbf(8). A rate of 0 means no
// limit.
func (ns *namespace) queue(port, rate, limit int) error {
	m := tcMsg{Index: int32(port), Parent: sysTCRoot}
	if rate == 0 {
		return ns.request("noqueue", unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m,
			attr(sysTCKind, []byte("noqueue\x00")))
	}
	const frame = 1514 // the bucket holds one
	if rate < 0 || int64(rate) > 1<<32-1 || limit < frame || int64(limit) > 1<<32-1 {
		return fmt.Errorf("netlab: %d bytes per second, queue of %d: %w", rate, limit, syscall.EINVAL)
	}
	tbf := tbfQopt{Rate: tcRate{Rate: uint32(rate)}, Limit: uint32(limit)}
	err := ns.request("tbf", unix.RTM_NEWQDISC, unix.NLM_F_CREATE|unix.NLM_F_REPLACE, m,
		attr(sysTCKind, []byte("tbf\x00")),
		attr(sysTCOptions, attr(sysTBFParms, encode(tbf)), attr(sysTBFBurst, encode(uint32(frame)))))
	if errors.Is(err, unix.ENOENT) {
		return &unsupported{"this kernel has no tbf", err}
	}
	return err
}

// request asks the kernel for one change and waits for its answer, netlink(7).
func (ns *namespace) request(what string, typ, flags uint16, header any, attrs ...[]byte) error {
	body := append(encode(header), slices.Concat(attrs...)...)
	msg := append(encode(unix.NlMsghdr{
		Len:   uint32(unix.SizeofNlMsghdr + len(body)),
		Type:  typ,
		Flags: flags | unix.NLM_F_REQUEST | unix.NLM_F_ACK,
	}), body...)

	ns.mu.Lock()
	defer ns.mu.Unlock()
	if _, err := ns.rtnl.Write(msg); err != nil {
		return fmt.Errorf("netlab: %s: %w", what, err)
	}
	answer := make([]byte, 4096)
	n, err := ns.rtnl.Read(answer)
	if err == nil {
		var e struct {
			unix.NlMsghdr
			Error int32
		}
		if _, err = binary.Decode(answer[:n], binary.NativeEndian, &e); err == nil && e.Error != 0 {
			err = os.NewSyscallError("rtnetlink", syscall.Errno(-e.Error))
		}
	}
	if errors.Is(err, unix.ENOTSOCK) {
		// On mips qemu's user mode returns another system's number for "not supported".
		return &unsupported{what, err}
	}
	if err != nil {
		return fmt.Errorf("netlab: %s: %w", what, err)
	}
	return nil
}

// attr encodes an attribute, padded for the next one.
func attr(typ uint16, value ...[]byte) []byte {
	v := slices.Concat(value...)
	b := append(encode(unix.RtAttr{Len: uint16(unix.SizeofRtAttr + len(v)), Type: typ}), v...)
	return append(b, make([]byte, -len(b)&(unix.RTA_ALIGNTO-1))...)
}

// encode encodes a number or a struct of a fixed size.
func encode(v any) []byte {
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		panic(err) // v is not of fixed size
	}
	return b
}

func family(a netip.Addr) uint8 {
	if a.Is4() {
		return unix.AF_INET
	}
	return unix.AF_INET6
}
