// Package netlab makes hosts and the cables between them out of network
// namespaces of Linux (network_namespaces(7)), to see what a real kernel does
// when a cable is cut. It leaves the machine's own network alone, and all that
// it makes ends with the process, however that ends.
//
//	func TestMain(m *testing.M) {
//		netlab.Enter() // where it fails, NewHost says why
//		os.Exit(m.Run())
//	}
//
//	a, err := netlab.NewHost() // matches errors.ErrUnsupported: skip
//	b, err := netlab.NewHost()
//	c, err := netlab.NewCable(a, b)
//	err = b.Do(func() (err error) { l, err = net.Listen("tcp", netip.AddrPortFrom(b.IPv4, 8080).String()); return })
//	err = a.Do(func() (err error) { conn, err = net.Dial("tcp", l.Addr().String()); return })
//	err = c.Cut()
package netlab

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Enter makes hosts possible for a user who is not root. It is called first of
// all in main or TestMain. It returns at once where the process may make
// network namespaces. Where it may not, Enter executes the program anew, with
// the same process id, arguments, environment and files, in a user namespace
// (user_namespaces(7)) where it may; the user stays the same. It uses
// unshare(1) and setpriv(1).
//
// The error says why that is not allowed here and matches
// [errors.ErrUnsupported]; nothing has changed then.
func Enter() error { return enter() }

// A Host is a host with a network of its own: sysctls, ports and a loopback
// interface. Cables lead to other hosts.
type Host struct {
	IPv4, IPv6 netip.Addr // no other host of this process has them

	ns    *namespace
	plugs atomic.Int32
}

// hosts counts the hosts ever made, for their addresses.
var hosts atomic.Uint32

// NewHost makes a host. The error matches [errors.ErrUnsupported] where
// namespaces are not allowed, and says why.
func NewHost() (*Host, error) {
	ns, err := newNamespace()
	if err != nil {
		return nil, err
	}
	v4 := [4]byte{10}
	v6 := [16]byte{0: 0xfd}
	n := hosts.Add(1) & 0xffffff
	binary.BigEndian.PutUint32(v4[:], 10<<24|n)
	binary.BigEndian.PutUint32(v6[12:], n)
	h := &Host{IPv4: netip.AddrFrom4(v4), IPv6: netip.AddrFrom16(v6), ns: ns}
	if err := ns.address(h.IPv4, h.IPv6); err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// Do calls f in the host and returns its error. A socket that f makes belongs
// to the host, whoever uses it later; a file below /proc/sys/net that it reads
// or writes is the host's sysctl. What f starts in another goroutine is not in
// the host: name addresses, not host names, in [net.Dial] and [net.Listen]. Nor
// may f call FailNow and the like of package testing.
func (h *Host) Do(f func() error) error { return h.ns.do(f) }

// Start starts cmd in the host. It is killed when the host is closed or when
// this process ends, for which Start sets Pdeathsig in cmd.SysProcAttr; what
// cmd itself starts is not, unless CLONE_NEWPID is in its Cloneflags. A program
// that was not found in the PATH is looked for in /usr/sbin and /sbin too.
func (h *Host) Start(cmd *exec.Cmd) error {
	if errors.Is(cmd.Err, exec.ErrNotFound) {
		for _, dir := range []string{"/usr/sbin", "/sbin"} {
			if path, err := exec.LookPath(filepath.Join(dir, cmd.Path)); err == nil {
				cmd.Path, cmd.Err = path, nil
				break
			}
		}
	}
	return h.ns.start(cmd)
}

// Close ends the programs of the host, and its network as soon as the last
// socket in it is closed.
func (h *Host) Close() { h.ns.close() }

// Vanish ends c as if its host had lost power (TCP_REPAIR, tcp(7)): the peer
// learns nothing, and the next segment that it sends is answered by a reset, as by
// a host that has started again. c is of a [Host] of this process, and not multipath
// TCP.
func Vanish(c *net.TCPConn) error {
	if err := vanish(c); err != nil {
		return err
	}
	return c.Close()
}

// A Cable joins two hosts by way of a router between them, where all that
// happens to the cable happens. So a host never learns from its own interface
// that the cable is cut, no queue or firewall of its own has a part in it, and
// there are no neighbour entries to expire (no ARP is used on the way): a
// connection over a cut cable ends with ETIMEDOUT, as it does when the cable is
// cut some hops away. Its methods may be called by several goroutines.
type Cable struct {
	ends   [2]*Host
	router *Host

	mu       sync.Mutex
	slow     [2]struct{ rate, queue int } // towards each end
	rejected bool
}

// firstPort is the index of the interface of the router that leads to the first
// end; a namespace may be born with some of small index.
const firstPort = 100

// NewCable joins a and b. A host may have several cables, but forwards nothing
// between them.
func NewCable(a, b *Host) (*Cable, error) {
	r, err := NewHost()
	if err != nil {
		return nil, err
	}
	c := &Cable{ends: [2]*Host{a, b}, router: r}
	if err := c.plug(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close removes the cable.
func (c *Cable) Close() { c.router.Close() }

// Cut drops everything, both ways, what waits in the queue of a slow cable too.
func (c *Cable) Cut() error {
	return errors.Join(c.Lose(c.ends[0]), c.Lose(c.ends[1]))
}

// Lose drops everything that comes from one end.
func (c *Cable) Lose(from *Host) error {
	to, err := c.other(from)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.router.ns.route(c.ends[to], 0); err != nil {
		return err
	}
	if c.slow[to].rate == 0 {
		return nil
	}
	// Only another queue is an empty one.
	return errors.Join(c.router.ns.queue(firstPort+to, 0, 0),
		c.router.ns.queue(firstPort+to, c.slow[to].rate, c.slow[to].queue))
}

// Heal undoes Cut, Lose and Reject.
func (c *Cable) Heal() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rejected {
		if err := c.router.nft("delete table inet lab_reject"); err != nil {
			return err
		}
		c.rejected = false
	}
	return c.pass()
}

// Reject answers TCP segments from one end as a firewall does, with what nft(8)
// calls "tcp reset", "icmpx port-unreachable", "icmpx admin-prohibited" and so
// on. It needs the program nft. Linux 6.18 takes no notice of an ICMP error about
// a keepalive probe: an idle connection still ends with ETIMEDOUT.
func (c *Cable) Reject(from *Host, with string) error {
	to, err := c.other(from)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	err = c.router.nft(fmt.Sprintf(`
		table inet lab_reject {
			chain forward {
				type filter hook forward priority 0
				oifname port%d meta l4proto tcp reject with %s
			}
		}`, to, with))
	c.rejected = c.rejected || err == nil
	return err
}

// Slow lets only so many bytes per second pass from one end to the other,
// headers included. Up to queue bytes wait for it in the router (tc-tbf(8));
// more are dropped. A rate of zero undoes it.
func (c *Cable) Slow(from *Host, rate, queue int) error {
	to, err := c.other(from)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.router.ns.queue(firstPort+to, rate, queue); err != nil {
		return err
	}
	c.slow[to].rate, c.slow[to].queue = rate, queue
	return nil
}

// Masquerade makes the cable a NAT router that forgets: client's connections
// appear to come from the router, and one that is silent for longer than forget,
// rounded up to seconds, is lost: what either end then sends is dropped without
// an answer. Connections that exist already are dropped too. It needs the
// program nft and lasts as long as the cable.
func (c *Cable) Masquerade(client *Host, forget time.Duration) error {
	to, err := c.other(client)
	if err != nil {
		return err
	}
	seconds := int64((forget + time.Second - 1) / time.Second)
	if seconds < 1 {
		return fmt.Errorf("netlab: masquerade: forget after %v: %w", forget, syscall.EINVAL)
	}
	// What the server sends after the connection was forgotten is for the router
	// itself, which would answer with a reset.
	err = c.router.nft(fmt.Sprintf(`
		table inet lab_masquerade {
			chain postrouting {
				type nat hook postrouting priority srcnat
				oifname port%d masquerade
			}
			chain forward {
				type filter hook forward priority 0
				ct state invalid drop
			}
			chain input {
				type filter hook input priority 0
				iifname port%[1]d drop
			}
		}`, to))
	if err != nil {
		return err
	}
	// A segment in the middle of a connection must not make a new entry.
	return c.router.sysctl("netfilter/nf_conntrack_tcp_loose", "0",
		"netfilter/nf_conntrack_tcp_timeout_established", strconv.FormatInt(seconds, 10))
}

// other returns the index of the end that is not h.
func (c *Cable) other(h *Host) (int, error) {
	switch h {
	case c.ends[0]:
		return 1, nil
	case c.ends[1]:
		return 0, nil
	}
	return 0, fmt.Errorf("netlab: host %v is at neither end of the cable: %w", h.IPv4, syscall.EINVAL)
}

func (c *Cable) plug() error {
	if err := c.router.sysctl("ipv4/ip_forward", "1", "ipv6/conf/all/forwarding", "1"); err != nil {
		return err
	}
	for i, h := range c.ends {
		k := int(h.plugs.Add(1)) - 1
		if err := h.ns.plug(firstPort+k, fmt.Sprintf("eth%d", k), c.router.ns, firstPort+i, fmt.Sprintf("port%d", i)); err != nil {
			return err
		}
		for _, to := range []*Host{c.ends[1-i], c.router} {
			if err := h.ns.route(to, firstPort+k); err != nil {
				return err
			}
		}
	}
	return c.pass()
}

// pass lets the router forward to both ends.
func (c *Cable) pass() error {
	return errors.Join(c.router.ns.route(c.ends[0], firstPort), c.router.ns.route(c.ends[1], firstPort+1))
}

// sysctl writes settings of the host, given as name and value in turn.
func (h *Host) sysctl(settings ...string) error {
	return h.Do(func() error {
		for i := 0; i < len(settings); i += 2 {
			if err := os.WriteFile("/proc/sys/net/"+settings[i], []byte(settings[i+1]), 0); err != nil {
				return fmt.Errorf("netlab: %w", err)
			}
		}
		return nil
	})
}

// nft gives rules to nft(8) in the host.
func (h *Host) nft(rules string) error {
	var out bytes.Buffer
	cmd := exec.Command("nft", "-f", "-")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(rules), &out, &out
	err := h.Start(cmd)
	if errors.Is(err, exec.ErrNotFound) {
		return &unsupported{"the program nft (nftables) is missing", err}
	}
	if err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("netlab: nft: %w: %s", err, bytes.TrimSpace(out.Bytes()))
	}
	return nil
}

// unsupported is the error of what this machine cannot do or does not allow.
type unsupported struct {
	reason string
	err    error
}

func (e *unsupported) Error() string { return "netlab: " + e.reason + ": " + e.err.Error() }

func (e *unsupported) Unwrap() error { return e.err }

// Is reports whether target is [errors.ErrUnsupported].
func (e *unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
