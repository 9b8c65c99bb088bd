package tcpopt_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// icmpErrors is all that a router may say of a segment that it could not deliver,
// and what Linux makes of it; without type 3 code 4, of which it makes a smaller
// segment.
var icmpErrors = []struct {
	kind, code uint8
	ipv6       bool
	want       syscall.Errno
}{
	{3, 0, false, syscall.ENETUNREACH},   // Net unreachable.
	{3, 1, false, syscall.EHOSTUNREACH},  // Host unreachable.
	{3, 2, false, syscall.ENOPROTOOPT},   // Protocol unreachable.
	{3, 3, false, syscall.ECONNREFUSED},  // Port unreachable.
	{3, 5, false, syscall.EOPNOTSUPP},    // Source route failed.
	{3, 6, false, syscall.ENETUNREACH},   // Net unknown.
	{3, 7, false, syscall.EHOSTDOWN},     // Host unknown.
	{3, 8, false, syscall.ENONET},        // Host isolated.
	{3, 9, false, syscall.ENETUNREACH},   // Net prohibited.
	{3, 10, false, syscall.EHOSTUNREACH}, // Host prohibited.
	{3, 11, false, syscall.ENETUNREACH},  // Net unreachable for this service.
	{3, 12, false, syscall.EHOSTUNREACH}, // Host unreachable for this service.
	{3, 13, false, syscall.EHOSTUNREACH}, // Administratively prohibited.
	{3, 14, false, syscall.EHOSTUNREACH}, // Precedence violation.
	{3, 15, false, syscall.EHOSTUNREACH}, // Precedence cut off.
	{11, 0, false, syscall.EHOSTUNREACH}, // Time exceeded on the way.
	{11, 1, false, syscall.ETIMEDOUT},    // Time exceeded in reassembly, of which TCP is not told.
	{12, 0, false, syscall.EPROTO},       // Parameter problem.
	{12, 1, false, syscall.EPROTO},       // Option missing.
	{12, 2, false, syscall.EPROTO},       // Bad length.

	{1, 0, true, syscall.ENETUNREACH},  // No route.
	{1, 1, true, syscall.EACCES},       // Administratively prohibited.
	{1, 2, true, syscall.EHOSTUNREACH}, // Beyond the scope of the source address.
	{1, 3, true, syscall.EHOSTUNREACH}, // Address unreachable.
	{1, 4, true, syscall.ECONNREFUSED}, // Port unreachable.
	{1, 5, true, syscall.EACCES},       // The source address failed a policy.
	{1, 6, true, syscall.EACCES},       // A route that rejects.
	{3, 0, true, syscall.EHOSTUNREACH}, // Time exceeded on the way.
	{3, 1, true, syscall.EHOSTUNREACH}, // Time exceeded in reassembly.
	{4, 0, true, syscall.EPROTO},       // Erroneous header field.
	{4, 1, true, syscall.EPROTO},       // Unknown next header.
	{4, 2, true, syscall.EPROTO},       // Unknown option.
}

// TestFaultICMP has data in flight that each ICMP error answers.
func TestFaultICMP(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	conns := make([]*net.TCPConn, len(icmpErrors))
	answers := make(map[uint16][2]uint8) // By the port of the segment.
	for i, tt := range icmpErrors {
		address := l.Far.IPv4
		if tt.ipv6 {
			address = l.Far.IPv6
		}
		near, far := l.ConnectTo(t, address, false)
		port := uint16(near.LocalAddr().(*net.TCPAddr).Port)
		for answers[port] != [2]uint8{} { // Connections to several may share one.
			near, far = l.ConnectTo(t, address, false)
			port = uint16(near.LocalAddr().(*net.TCPAddr).Port)
		}
		set(t, near, tcpopt.Config{UserTimeout: 3 * time.Second})
		hear(t, near, far)
		conns[i] = near
		answers[port] = [2]uint8{tt.kind, tt.code}
	}
	if err := l.Cable.Lose(l.Near); err != nil {
		t.Fatal(err)
	}
	answer(t, l, answers)
	for _, c := range conns {
		if _, err := c.Write([]byte{1}); err != nil {
			t.Fatal(err)
		}
	}
	for i, tt := range icmpErrors {
		_, err := end(conns[i], 10*time.Second)
		if errno := syscall.Errno(0); !errors.As(err, &errno) || errno != tt.want || !tcpopt.IsDeadPeer(err) {
			t.Errorf("IPv6 %v, type %d, code %d: ended with %v, a dead peer: %v, want %v", tt.ipv6, tt.kind, tt.code, err, tcpopt.IsDeadPeer(err), tt.want)
		}
	}
}

// answer has the far end answer what the near end sends with ICMP errors of a
// type and a code by the port.
func answer(t *testing.T, l labtest.Lab, answers map[uint16][2]uint8) {
	t.Helper()
	var sent *os.File
	var icmp4, icmp6 net.PacketConn
	labtest.Need(t, l.Near.Do(func() error {
		all := binary.NativeEndian.Uint16([]byte{0, unix.ETH_P_ALL})
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(all))
		if err != nil {
			return os.NewSyscallError("socket", err)
		}
		sent = os.NewFile(uintptr(fd), "packets")
		return nil
	}))
	labtest.Need(t, l.Far.Do(func() (err error) {
		if icmp4, err = net.ListenPacket("ip4:icmp", l.Far.IPv4.String()); err != nil {
			return err
		}
		icmp6, err = net.ListenPacket("ip6:ipv6-icmp", l.Far.IPv6.String())
		return err
	}))
	done := make(chan bool)
	t.Cleanup(func() {
		sent.Close()
		<-done
		icmp4.Close()
		icmp6.Close()
	})
	go func() {
		defer close(done)
		for b := make([]byte, 1500); ; {
			n, err := sent.Read(b)
			if err != nil {
				if !errors.Is(err, os.ErrClosed) {
					t.Errorf("reading packets: %v", err)
				}
				return
			}
			from, port := sender(b[:n])
			answer, ok := answers[port]
			if !ok || from != l.Near.IPv4 && from != l.Near.IPv6 {
				continue
			}
			message := append([]byte{answer[0], answer[1], 0, 0, 0, 0, 0, 0}, b[:n]...)
			via := icmp6
			if from.Is4() {
				via = icmp4
				binary.BigEndian.PutUint16(message[2:], checksum(message))
			}
			if _, err := via.WriteTo(message, &net.IPAddr{IP: from.AsSlice()}); err != nil {
				t.Errorf("answering: %v", err)
			}
		}
	}()
}

// sender returns where an IP packet comes from, if TCP is in it.
func sender(b []byte) (netip.Addr, uint16) {
	switch n := len(b); {
	case n >= 40 && b[0]>>4 == 4 && b[9] == unix.IPPROTO_TCP:
		return netip.AddrFrom4([4]byte(b[12:])), binary.BigEndian.Uint16(b[b[0]&15*4:])
	case n >= 60 && b[0]>>4 == 6 && b[6] == unix.IPPROTO_TCP:
		return netip.AddrFrom16([16]byte(b[8:])), binary.BigEndian.Uint16(b[40:])
	}
	return netip.Addr{}, 0
}

// checksum is the one of RFC 1071, which for IPv6 is the kernel's work.
func checksum(b []byte) uint16 {
	sum := uint32(0)
	for i, v := range b {
		sum += uint32(v) << (8 * (1 - i%2))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// TestFaultCopy has the operations that io.Copy and the like make of reading and
// writing.
func TestFaultCopy(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err == nil {
		err = file.Truncate(1 << 30)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	alive, source := connect(t, "tcp4", false)
	go io.Copy(source, zeros{})
	unix, other := unixPair(t)
	go io.Copy(io.Discard, other)

	for _, tt := range []struct {
		name, op string
		copy     func(*net.TCPConn) error
	}{
		{"read", "read", func(c *net.TCPConn) error { _, err := c.Read(make([]byte, 1)); return err }},
		{"write", "write", func(c *net.TCPConn) error {
			return forever(func() error { _, err := c.Write(make([]byte, 1<<16)); return err })
		}},
		{"buffers", "writev", func(c *net.TCPConn) error {
			return forever(func() error {
				b := net.Buffers{make([]byte, 1<<16), make([]byte, 1)}
				_, err := b.WriteTo(c)
				return err
			})
		}},
		{"to a writer", "writeto", func(c *net.TCPConn) error { _, err := io.Copy(&strings.Builder{}, c); return err }},
		{"to a Unix socket", "writeto", func(c *net.TCPConn) error { _, err := io.Copy(unix, c); return err }},
		{"to a TCP socket", "writeto", func(c *net.TCPConn) error { _, err := io.Copy(alive, c); return err }},
		{"into a TCP socket", "readfrom", func(c *net.TCPConn) error { _, err := alive.ReadFrom(c); return err }},
		{"from a reader", "readfrom", func(c *net.TCPConn) error { _, err := io.Copy(c, zeros{}); return err }},
		{"from a file", "readfrom", func(c *net.TCPConn) error { _, err := c.ReadFrom(file); return err }},
		{"from a TCP socket", "readfrom", func(c *net.TCPConn) error { _, err := c.ReadFrom(alive); return err }},
	} {
		near, far := l.Connect(t, false)
		set(t, near, tcpopt.Config{UserTimeout: time.Second})
		hear(t, near, far)
		near.SetReadDeadline(time.Time{})
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			if _, err := near.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			err := tt.copy(near)
			if op, ok := err.(*net.OpError); !ok || op.Op != tt.op || !errors.Is(err, syscall.ETIMEDOUT) || !tcpopt.IsDeadPeer(err) {
				t.Errorf("%#v, a dead peer: %v, want ETIMEDOUT of %s", err, tcpopt.IsDeadPeer(err), tt.op)
			}
		})
	}
}

// forever calls f until it fails.
func forever(f func() error) error {
	for {
		if err := f(); err != nil {
			return err
		}
	}
}

// TestFaultDial has connections that do not come to be, themselves or through
// proxies.
func TestFaultDial(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		proxy   string // its scheme
		silent  bool   // the proxy accepts first
		outside string // Op of the outermost OpError
	}{
		{"direct", "", false, "dial"},
		{"HTTP proxy", "http", false, "proxyconnect"},
		{"SOCKS proxy", "socks5", false, "proxyconnect"},
		{"SOCKS proxy falls silent", "socks5", true, "socks connect"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			proxy := labtest.Listen(t, l.Far, netip.AddrPortFrom(l.Far.IPv4, 0).String(), false)
			cut := func() {
				if err := l.Cable.Cut(); err != nil {
					t.Error(err)
				}
			}
			if !tt.silent {
				cut()
			}
			// It bounds connect too.
			d := net.Dialer{KeepAlive: -1, Control: tcpopt.Config{UserTimeout: time.Second}.DialControl}
			transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (c net.Conn, err error) {
				err = l.Near.Do(func() (err error) { c, err = d.DialContext(ctx, network, address); return err })
				if tt.silent {
					cut()
				}
				return c, err
			}}
			if tt.proxy != "" {
				transport.Proxy = http.ProxyURL(&url.URL{Scheme: tt.proxy, Host: proxy.Addr().String()})
			}
			_, err := (&http.Client{Transport: transport}).Get(fmt.Sprintf("https://%v/", proxy.Addr()))
			if op := (*net.OpError)(nil); !errors.As(err, &op) || op.Op != tt.outside || !errors.Is(err, syscall.ETIMEDOUT) || tcpopt.IsDeadPeer(err) {
				t.Errorf("%v, a dead peer: %v, want ETIMEDOUT of %s", err, tcpopt.IsDeadPeer(err), tt.outside)
			}
			for _, both := range [][]error{{err, io.EOF}, {io.EOF, err}, {err, err}} {
				if tcpopt.IsDeadPeer(errors.Join(both...)) {
					t.Errorf("IsDeadPeer(%v and %v) = true", both[0], both[1])
				}
			}
		})
	}
}

// unixPair returns both ends of a Unix connection.
func unixPair(t *testing.T) (a, b net.Conn) {
	t.Helper()
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if a, err = net.Dial("unix", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	if b, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return a, b
}

// TestFaultVerdictConn has the connection of the example, with a reader and a
// writer who wait when the kernel gives up, and to whom it reports a verdict.
func TestFaultVerdictConn(t *testing.T) {
	t.Parallel()
	for _, reset := range []bool{false, true} {
		l := labtest.NewLab(t)
		for i := range 10 {
			near, far := l.Connect(t, false)
			set(t, near, tcpopt.Config{UserTimeout: time.Second})
			hear(t, near, far)
			near.SetReadDeadline(time.Time{})
			t.Run(fmt.Sprintf("reset %v, %d", reset, i), func(t *testing.T) {
				t.Parallel()
				if reset {
					far.SetLinger(0)
					time.AfterFunc(200*time.Millisecond, func() { far.Close() })
				} else if err := l.Cable.Cut(); err != nil {
					t.Fatal(err)
				}
				c := keepVerdict(tardy{near})
				read := make(chan error, 1)
				go func() { read <- forever(func() error { _, err := c.Read(make([]byte, 1)); return err }) }()
				errs := []error{forever(func() error { _, err := c.Write(make([]byte, 1<<16)); return err }), <-read}
				for range 2 { // From then on.
					_, rerr := c.Read(make([]byte, 1))
					_, werr := c.Write(make([]byte, 1))
					errs = append(errs, rerr, werr)
				}
				if err := c.Verdict(); tcpopt.IsDeadPeer(err) == reset {
					t.Errorf("Verdict() = %v, want a dead peer: %v", err, !reset)
				}
				for i, err := range errs {
					if tcpopt.IsDeadPeer(err) == reset {
						t.Errorf("error %d: %v, want a dead peer: %v", i, err, !reset)
					}
					var e net.Error
					if i > 1 && !reset && (errors.As(fmt.Errorf("wrapped: %w", err), &e) && e.Timeout() || os.IsTimeout(err) || errors.Is(err, os.ErrDeadlineExceeded)) {
						t.Errorf("error %d: %v is a timeout", i, err)
					}
				}
			})
		}
	}
}

// A tardy connection takes its time to pass on what the kernel told it, so that
// another is sure to have read EOF.
type tardy struct{ *net.TCPConn }

func (c tardy) Write(b []byte) (int, error) {
	n, err := c.TCPConn.Write(b)
	if err != nil {
		time.Sleep(20 * time.Millisecond)
	}
	return n, err
}
