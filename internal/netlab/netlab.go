// Package netlab makes hosts and the cables between them out of network namespaces of
// Linux (network_namespaces(7)), to see what a real kernel does when a cable is cut. It
// leaves the machine's own network alone. Everything it makes ends with the process,
// however the process ends.
//
//	func TestMain(m *testing.M) {
//		netlab.Enter() // if it fails, NewHost says why
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

// Enter lets a user who is not root make hosts. Call it first in main or TestMain. It
// returns at once if the process may make network namespaces. If not, Enter executes
// the program again in a user namespace (user_namespaces(7)), where it may, with the
// same user, process id, arguments, environment and files. It uses unshare(1) and
// setpriv(1).
//
// The error says why this is not allowed here and matches [errors.ErrUnsupported];
// nothing has changed then.
func Enter() error { return enter() }

// A Host is a host with its own network: sysctls, ports and a loopback interface.
// Cables lead to other hosts.
type Host struct {
	IPv4, IPv6 netip.Addr // no other host of this process has them

	ns    *namespace
	plugs atomic.Int32
}

// hosts counts the hosts ever made, for their addresses.
var hosts atomic.Uint32

// NewHost makes a host. If namespaces are not allowed, the error says why and matches
// [errors.ErrUnsupported].
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

// Do calls f on the host and returns its error. A socket that f makes belongs to the
// host, whoever uses it later. A file below /proc/sys/net that f reads or writes is the
// host's sysctl. Other goroutines that f starts are not on the host: give [net.Dial]
// and [net.Listen] addresses, not host names. f must not call FailNow and similar
// methods of package testing.
func (h *Host) Do(f func() error) error { return h.ns.do(f) }

// Start starts cmd on the host. The kernel kills it when the host is closed or this
// process ends, since Start sets Pdeathsig in cmd.SysProcAttr. It does not kill what
// cmd itself starts, unless cmd has CLONE_NEWPID in its Cloneflags. Start also looks
// for the program in /usr/sbin and /sbin if it is not in the PATH.
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

// Close ends the programs of the host. Its network ends when the last socket in it is
// closed.
func (h *Host) Close() { h.ns.close() }

// Vanish ends c as if its host had lost power (TCP_REPAIR, tcp(7)). The peer learns
// nothing. A reset answers the next segment that it sends, as if the host had started
// again. c must be on a [Host] of this process, and not use multipath TCP.
func Vanish(c *net.TCPConn) error {
	if err := vanish(c); err != nil {
		return err
	}
	return c.Close()
}

// A Cable joins two hosts through a router between them. Everything that happens to the
// cable happens in the router. So a host never learns from its own interface that the
// cable is cut, its own queues and firewall play no part, and there are no neighbour
// entries to expire (there is no ARP on the way). A connection over a cut cable ends
// with ETIMEDOUT, as it does when a cable is cut some hops away. Several goroutines may
// call its methods.
type Cable struct {
	ends   [2]*Host
	router *Host

	mu       sync.Mutex
	slow     [2]struct{ rate, queue int } // toward each end
	rejected bool
}

// firstPort is the index of the router's interface to the first end. A new namespace
// may already have interfaces with small indexes.
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

// Cut drops everything, both ways, even what waits in the queue of a slow cable.
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
	// Only a new queue is empty.
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

// Reject answers TCP segments from one end as a firewall does, with nft(8)'s "tcp
// reset", "icmpx port-unreachable", "icmpx admin-prohibited" and so on. It needs the
// program nft. Linux 6.18 ignores an ICMP error about a keepalive probe: an idle
// connection still ends with ETIMEDOUT.
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

// Slow limits what passes from one end to the other to rate bytes per second, including
// headers. Up to queue bytes wait in the router (tc-tbf(8)); it drops more. A rate of
// zero removes the limit.
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

// Masquerade makes the cable a NAT router that forgets. The client's connections appear
// to come from the router. A connection that is silent for longer than forget, rounded
// up to seconds, is lost: the router drops what either end then sends, without an
// answer. It also drops connections that already exist. Masquerade needs the program
// nft and lasts as long as the cable.
func (c *Cable) Masquerade(client *Host, forget time.Duration) error {
	to, err := c.other(client)
	if err != nil {
		return err
	}
	seconds := int64((forget + time.Second - 1) / time.Second)
	if seconds < 1 {
		return fmt.Errorf("netlab: masquerade: forget after %v: %w", forget, syscall.EINVAL)
	}
	// What the server sends on a forgotten connection goes to the router itself, which
	// would answer with a reset.
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

// unsupported is the error if this machine cannot do something or does not allow it.
type unsupported struct {
	reason string
	err    error
}

func (e *unsupported) Error() string { return "netlab: " + e.reason + ": " + e.err.Error() }

func (e *unsupported) Unwrap() error { return e.err }

// Is reports whether target is [errors.ErrUnsupported].
func (e *unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
