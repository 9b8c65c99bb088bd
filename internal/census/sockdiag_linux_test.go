package census

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// recorded is a datagram that Linux 6.18 sent on amd64: the answers to dumps of TCP
// over IPv4 (seq 1) and IPv6 (2), of multipath TCP over IPv4 (3) and of an unknown
// protocol (4), and the end of the first.
func recorded(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name+".sockdiag"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestParseDump(t *testing.T) {
	if !nativeIsLittle() {
		t.Skip("what was recorded is little-endian")
	}
	tcp4, end := recorded(t, "tcp4"), recorded(t, "done")
	wantTCP4 := []string{
		"1672617 10 127.0.0.1:8080 0.0.0.0:0 4096",
		"1672629 10 127.0.0.1:9000 0.0.0.0:0 4096",
		"1672620 1 127.0.0.1:35286 127.0.0.1:8080 0",
		"1672633 1 127.0.0.1:9000 127.0.0.1:51652 0",
		"1672631 1 127.0.0.1:51652 127.0.0.1:9000 0",
		"1672621 1 127.0.0.1:8080 127.0.0.1:35286 0",
	}
	// with returns the first datagram with another byte at i.
	with := func(i int, c byte) []byte {
		b := slices.Clone(tcp4)
		b[i] = c
		return b
	}
	for _, tt := range []struct {
		name string
		b    []byte
		seq  uint32
		want []string
		done bool
		err  error
	}{
		{name: "IPv4", b: tcp4, seq: 1, want: wantTCP4},
		{name: "IPv6", b: recorded(t, "tcp6"), seq: 2, want: []string{
			"1672622 10 [::1]:8443 [::]:0 4096",
			"1672624 1 [::1]:8443 [::1]:38218 0",
			"1672623 1 [::1]:38218 [::1]:8443 0"}},
		{name: "multipath", b: recorded(t, "mptcp4"), seq: 3, want: []string{
			"1672631 1 127.0.0.1:51652 127.0.0.1:9000 0",
			"1672633 1 127.0.0.1:9000 127.0.0.1:51652 0",
			"1672629 10 127.0.0.1:9000 0.0.0.0:0 4096"}},
		{name: "the end", b: end, seq: 1, done: true},
		{name: "the end in the same datagram", b: slices.Concat(tcp4, end), seq: 1, want: wantTCP4, done: true},
		{name: "nothing after the end", b: slices.Concat(end, tcp4), seq: 1, done: true},
		{name: "a protocol that there is not", b: recorded(t, "lacking"), seq: 4, done: true, err: unix.ENOENT},
		{name: "sockets of another request", b: tcp4, seq: 2},
		{name: "the end of another request", b: end, seq: 2},
		{name: "an error of another request", b: recorded(t, "lacking"), seq: 1},
		{name: "another request's before ours", b: slices.Concat(end, recorded(t, "lacking")), seq: 4, done: true, err: unix.ENOENT},
		{name: "a state of the future", b: with(unix.SizeofNlMsghdr+1, byte(len(states))), seq: 1, want: wantTCP4[1:]},
		{name: "another kind of message", b: with(4, unix.NLMSG_NOOP), seq: 1, want: wantTCP4[1:]},
		{name: "nothing", b: nil, seq: 1},
		{name: "less than a header", b: tcp4[:15], seq: 1},
		{name: "cut short", b: tcp4[:len(tcp4)-1], seq: 1, want: wantTCP4[:5], err: unix.EBADMSG},
		{name: "shorter than its header", b: with(0, 15), seq: 1, err: unix.EBADMSG},
		{name: "shorter than a socket", b: with(0, unix.SizeofNlMsghdr+diagMessageSize-1), seq: 1, err: unix.EBADMSG},
		{name: "longer than any", b: with(3, 0xff), seq: 1, err: unix.EBADMSG},
	} {
		var got []string
		done, err := parseDump(tt.b, tt.seq, func(e entry) {
			got = append(got, fmt.Sprint(e.inode, " ", e.state, " ", e.local, " ", e.remote, " ", e.queue))
		})
		if !slices.Equal(got, tt.want) || done != tt.done || !errors.Is(err, tt.err) {
			t.Errorf("%s: parseDump = %v, %v and\n%s\nwant %v, %v and\n%s", tt.name, done, err, strings.Join(got, "\n"),
				tt.done, tt.err, strings.Join(tt.want, "\n"))
		}
	}
}

func FuzzParseDump(f *testing.F) {
	for i, name := range []string{"done", "tcp4", "tcp6", "mptcp4", "lacking"} {
		f.Add(recorded(f, name), uint32(max(1, i)))
	}
	f.Fuzz(func(t *testing.T, b []byte, seq uint32) {
		n := 0
		parseDump(b, seq, func(e entry) {
			if n++; int(e.state) >= len(states) || !e.local.IsValid() || !e.remote.IsValid() {
				t.Errorf("%+v", e)
			}
		})
		if n > len(b)/(unix.SizeofNlMsghdr+diagMessageSize) {
			t.Errorf("%d sockets in %d bytes", n, len(b))
		}
	})
}

// netlink returns a non-blocking netlink socket, and its port.
func netlink(t *testing.T, protocol int) (fd int, port uint32) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	if err != nil {
		t.Skipf("no such netlink socket here: %v", err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	return fd, name.(*unix.SockaddrNetlink).Pid
}

// TestReceiveDumpStranger has another program send the end of the dump. Sockets of
// NETLINK_USERSOCK need no privilege for that.
func TestReceiveDumpStranger(t *testing.T) {
	fd, port := netlink(t, unix.NETLINK_USERSOCK)
	stranger, _ := netlink(t, unix.NETLINK_USERSOCK)
	order := binary.NativeEndian
	forged := order.AppendUint32(nil, unix.SizeofNlMsghdr+4)
	forged = order.AppendUint16(forged, unix.NLMSG_DONE)
	forged = order.AppendUint16(forged, 0)
	forged = order.AppendUint32(forged, 1)
	forged = append(forged, make([]byte, 8)...)
	if done, err := parseDump(forged, 1, nil); !done || err != nil {
		t.Fatalf("parseDump = %v, %v, want an end", done, err)
	}
	if err := unix.Sendto(stranger, forged, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Pid: port}); err != nil {
		t.Fatal(err)
	}
	if err := receiveDump(fd, make([]byte, 1<<16), 1, nil); err != unix.EAGAIN {
		t.Errorf("receiveDump = %v, want %v: only the kernel's answer counts", err, unix.EAGAIN)
	}
	if n, _, err := unix.Recvfrom(fd, make([]byte, 1<<16), 0); err != unix.EAGAIN {
		t.Errorf("%d bytes left, %v: the stranger's message was not received", n, err)
	}
}

// TestReceiveDumpAnother waits for the answer to one request while the answer to
// another comes.
func TestReceiveDumpAnother(t *testing.T) {
	l := labtest.Listen(t, nil, labtest.Loopback("tcp4"), false)
	for _, tt := range []struct {
		seq  uint32
		want error
	}{{7, nil}, {8, unix.EAGAIN}} {
		fd, _ := netlink(t, unix.NETLINK_SOCK_DIAG)
		if err := unix.Sendto(fd, dumpRequest(7, unix.AF_INET, unix.IPPROTO_TCP, ownedStates), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			t.Fatal(err)
		}
		found := 0
		err := receiveDump(fd, make([]byte, 1<<16), tt.seq, func(e entry) {
			if e.local == netip.MustParseAddrPort(l.Addr().String()) && states[e.state] == StateListen {
				found++
			}
		})
		want := 0
		if tt.want == nil {
			want = 1
		}
		if err != tt.want || found != want {
			t.Errorf("receiveDump of %d = %v with %d listeners, want %v with %d", tt.seq, err, found, tt.want, want)
		}
	}
}

// TestDump finds each socket once for each protocol that has it.
func TestDump(t *testing.T) {
	netlink(t, unix.NETLINK_SOCK_DIAG) // It may skip the test.
	for _, multipath := range []bool{false, true} {
		if fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP); multipath && err != nil {
			break
		} else if err == nil {
			unix.Close(fd)
		}
		for _, network := range []string{"tcp4", "tcp6"} {
			if labtest.Missing(network) != nil {
				continue
			}
			l := labtest.Listen(t, nil, labtest.Loopback(network), multipath)
			var got []uint16
			if err := dump(1<<slices.Index(states[:], StateListen), bothFamilies, func(e entry) {
				if states[e.state] != StateListen {
					t.Errorf("dumped %+v", e)
				}
				if e.local.Port() == uint16(l.Addr().(*net.TCPAddr).Port) && e.local.Addr().Unmap().IsLoopback() {
					got = append(got, e.protocol)
				}
			}); err != nil {
				t.Fatal(err)
			}
			if len(got) == 0 || got[0] != unix.IPPROTO_TCP {
				t.Errorf("%s, multipath %v: protocols %v", network, multipath, got)
			}
			if multipath != (len(got) == 2 && got[1] == unix.IPPROTO_MPTCP) {
				t.Errorf("%s, multipath %v: protocols %v", network, multipath, got)
			}
		}
	}
}
