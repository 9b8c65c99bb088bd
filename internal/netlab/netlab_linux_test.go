package netlab_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

var (
	// A program makes these hosts, to see what is left of them.
	doomed  = labtest.NewProgram("doomed", makeAndWait)
	newHost = labtest.NewProgram("newhost", func() int {
		netlab.Enter()
		if _, err := netlab.NewHost(); err != nil {
			fmt.Printf("%v %v", errors.Is(err, errors.ErrUnsupported), err)
		}
		return 0
	})
)

func newCable(t testing.TB) (a, b *netlab.Host, c *netlab.Cable) {
	t.Helper()
	l := labtest.NewLab(t)
	return l.Near, l.Far, l.Cable
}

// connect returns both ends of a connection from a to the address ip of b. The cable is
// ready at once: no SYN is lost.
func connect(t testing.TB, a, b *netlab.Host, ip netip.Addr) (ca, cb *net.TCPConn) {
	t.Helper()
	ca, cb = labtest.Lab{Near: a, Far: b}.ConnectTo(t, ip, false)
	if n := tcpInfo(t, ca).Total_retrans; n > 0 {
		t.Errorf("the SYN was retransmitted %d times", n)
	}
	return ca, cb
}

func keepAlive(t testing.TB, c *net.TCPConn, idle, interval time.Duration, count int) {
	t.Helper()
	labtest.Need(t, c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: idle, Interval: interval, Count: count}))
}

func userTimeout(t testing.TB, c *net.TCPConn, d time.Duration) {
	t.Helper()
	rc, err := c.SyscallConn()
	labtest.Need(t, err)
	labtest.Need(t, rc.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(d.Milliseconds()))
	}))
	labtest.Need(t, err)
}

func tcpInfo(t testing.TB, c *net.TCPConn) *unix.TCPInfo {
	t.Helper()
	rc, err := c.SyscallConn()
	labtest.Need(t, err)
	var info *unix.TCPInfo
	var errno error
	labtest.Need(t, rc.Control(func(fd uintptr) {
		info, errno = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}))
	labtest.Need(t, errno)
	return info
}

// receive reads what arrives within d. It also reads what arrived while this goroutine
// did not run, which c.Read ignores after its deadline.
func receive(c *net.TCPConn, buf []byte, d time.Duration) (int, error) {
	c.SetReadDeadline(time.Now().Add(d))
	n, err := c.Read(buf)
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	c.SetReadDeadline(time.Time{})
	rc, rcerr := c.SyscallConn()
	if rcerr != nil {
		return 0, rcerr
	}
	late := error(nil)
	rcerr = rc.Read(func(fd uintptr) bool {
		n, late = unix.Read(int(fd), buf)
		return true
	})
	switch {
	case rcerr != nil:
		return 0, rcerr
	case late == unix.EAGAIN:
		return 0, err
	case late != nil:
		return 0, os.NewSyscallError("read", late)
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// read reads one byte within d.
func read(c *net.TCPConn, d time.Duration) error {
	_, err := receive(c, make([]byte, 1), d)
	return err
}

func write(t testing.TB, c *net.TCPConn) {
	t.Helper()
	_, err := c.Write([]byte{1})
	labtest.Need(t, err)
}

// passes checks that a byte gets from one end to the other.
func passes(t testing.TB, from, to *net.TCPConn) {
	t.Helper()
	write(t, from)
	if err := read(to, 5*time.Second); err != nil {
		t.Fatalf("nothing passes from %v to %v: %v", from.LocalAddr(), to.LocalAddr(), err)
	}
}

// silent checks that nothing arrives for d, neither a byte nor the end.
func silent(t testing.TB, c *net.TCPConn, d time.Duration) {
	t.Helper()
	if err := read(c, d); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("%v: read = %v, want silence", c.LocalAddr(), err)
	}
}

// dies checks that c ends by itself with the error want, and returns how soon.
func dies(t testing.TB, c *net.TCPConn, want error) time.Duration {
	t.Helper()
	start := time.Now()
	if err := read(c, 20*time.Second); !errors.Is(err, want) {
		t.Fatalf("%v: read = %v after %v, want %v", c.LocalAddr(), err, time.Since(start), want)
	}
	return time.Since(start)
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, ip := range []string{"IPv4", "IPv6"} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			a, b, c := newCable(t)
			addr := b.IPv4
			if ip == "IPv6" {
				addr = b.IPv6
			}
			ca, cb := connect(t, a, b, addr)
			keepAlive(t, ca, time.Second, time.Second, 1)
			silent(t, ca, 3*time.Second) // it would be dead by now
			passes(t, ca, cb)

			oa, ob := connect(t, a, b, addr)
			start := time.Now() // Silence begins a little later.
			passes(t, cb, ca)
			labtest.Need(t, c.Cut())
			cut := time.Now() // The latest start of the silence.
			write(t, oa)
			write(t, ob)
			dies(t, ca, syscall.ETIMEDOUT)
			d, atMost := time.Since(start), time.Since(cut)
			// Idle and one interval; a timer may be an eighth late.
			if least, most := 1900*time.Millisecond, 2554*time.Millisecond; d < least || atMost > most {
				t.Errorf("dead after %v to %v, want %v to %v", atMost, d, least, most)
			}
			t.Log("dead after", d)
			for _, c := range []*net.TCPConn{cb, oa, ob} {
				silent(t, c, 100*time.Millisecond)
			}
		})
	}
}

func TestHeal(t *testing.T) {
	t.Parallel()
	a, b, c := newCable(t)
	ca, cb := connect(t, a, b, b.IPv6)
	keepAlive(t, ca, time.Second, time.Second, 5)
	labtest.Need(t, c.Cut())
	silent(t, ca, 2500*time.Millisecond) // two probes
	labtest.Need(t, c.Heal())
	silent(t, ca, 5*time.Second) // it would be dead by now
	passes(t, ca, cb)
	passes(t, cb, ca)
}

func TestLose(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		fromB   bool
		address func(*netlab.Host) netip.Addr
	}{
		{"forth, IPv4", false, func(h *netlab.Host) netip.Addr { return h.IPv4 }},
		{"back, IPv4", true, func(h *netlab.Host) netip.Addr { return h.IPv4 }},
		{"forth, IPv6", false, func(h *netlab.Host) netip.Addr { return h.IPv6 }},
		{"back, IPv6", true, func(h *netlab.Host) netip.Addr { return h.IPv6 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, b, c := newCable(t)
			cf, ct := connect(t, a, b, tt.address(b))
			df, dt := connect(t, a, b, tt.address(b))
			from := a
			if tt.fromB {
				from, cf, ct, df, dt = b, ct, cf, dt, df
			}
			userTimeout(t, df, time.Second)
			labtest.Need(t, c.Lose(from))
			passes(t, ct, cf)
			write(t, cf)
			write(t, df)
			// Lost silently: an ICMP error would be another error here.
			dies(t, df, syscall.ETIMEDOUT)
			silent(t, ct, 100*time.Millisecond)
			silent(t, dt, 100*time.Millisecond)
			labtest.Need(t, c.Heal())
			if err := read(ct, 10*time.Second); err != nil {
				t.Errorf("after Heal: %v", err)
			}
		})
	}
	_, _, c := newCable(t)
	if err := c.Lose(labtest.NewHost(t)); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Lose(a host elsewhere) = %v, want %v", err, syscall.EINVAL)
	}
}

// A host is ready when it is made, and reaches itself.
func TestNewHost(t *testing.T) {
	t.Parallel()
	for range 40 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			h := labtest.NewHost(t)
			connect(t, h, h, h.IPv6)
			connect(t, h, h, h.IPv4)
		})
	}
}

// A cable is ready when it is made: connect would lose its first SYN.
func TestNewCable(t *testing.T) {
	t.Parallel()
	for range 40 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			a, b, _ := newCable(t)
			ca, cb := connect(t, a, b, b.IPv6)
			passes(t, cb, ca)
			ca, cb = connect(t, b, a, a.IPv4)
			passes(t, ca, cb)
		})
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	const rate, queue, size = 100_000, 50_000, 200_000
	a, b, c := newCable(t)
	ca, cb := connect(t, a, b, b.IPv4)
	transfer := func(from, to *net.TCPConn) time.Duration {
		t.Helper()
		start := time.Now()
		go from.Write(make([]byte, size))
		to.SetReadDeadline(start.Add(10 * time.Second))
		_, err := io.ReadFull(to, make([]byte, size))
		labtest.Need(t, err)
		return time.Since(start)
	}
	labtest.Need(t, c.Slow(a, rate, queue))
	d := transfer(ca, cb)
	// 66 bytes of headers for each 1448, a bucket of one frame, and no loss except
	// what overflows the queue.
	if least, most := 1950*time.Millisecond, 3*time.Second; d < least || d > most {
		t.Errorf("%d bytes at %d bytes/s took %v, want %v to %v", size, rate, d, least, most)
	}
	t.Logf("%.0f bytes/s", size/d.Seconds())
	// What waits takes half a second to pass, not the 2 s of all data.
	rtt := time.Duration(tcpInfo(t, ca).Rtt) * time.Microsecond
	if least, most := 100*time.Millisecond, 600*time.Millisecond; rtt < least || rtt > most {
		t.Errorf("round trip of %v, want %v to %v", rtt, least, most)
	}
	if d := transfer(cb, ca); d > 500*time.Millisecond {
		t.Errorf("the other way took %v", d)
	}
	labtest.Need(t, c.Slow(a, 0, 0))
	if d := transfer(ca, cb); d > 500*time.Millisecond {
		t.Errorf("after Slow(a, 0, 0) it took %v", d)
	}
	for _, bad := range []struct{ rate, queue int }{{-1, queue}, {rate, 0}, {rate, -1}} {
		if err := c.Slow(a, bad.rate, bad.queue); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("Slow(a, %d, %d) = %v, want %v", bad.rate, bad.queue, err, syscall.EINVAL)
		}
	}
}

// A cut also drops what is in the queue: a second of data here.
func TestCutQueue(t *testing.T) {
	t.Parallel()
	a, b, c := newCable(t)
	ca, cb := connect(t, a, b, b.IPv4)
	labtest.Need(t, c.Slow(a, 40_000, 40_000))
	go ca.Write(make([]byte, 1_000_000))
	cb.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, err := io.ReadFull(cb, make([]byte, 40_000))
	labtest.Need(t, err)
	labtest.Need(t, c.Cut())
	buf := make([]byte, 1_000_000)
	for err == nil { // What arrived before.
		_, err = receive(cb, buf, 200*time.Millisecond)
	}
	silent(t, cb, time.Second)
	labtest.Need(t, c.Heal())
	labtest.Need(t, read(cb, 5*time.Second))
	start := time.Now()
	cb.SetReadDeadline(start.Add(15 * time.Second))
	_, err = io.ReadFull(cb, buf[:120_000]) // 3 s, of which this goroutine may miss some.
	labtest.Need(t, err)
	if d := time.Since(start); d < 500*time.Millisecond {
		t.Errorf("after Heal: 120000 bytes took %v, want a cable that is still slow", d)
	}
}

func TestReject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		with string
		ipv6 bool
		want error
	}{
		{"tcp reset", false, syscall.ECONNRESET},
		{"tcp reset", true, syscall.ECONNRESET},
		{"icmpx port-unreachable", false, syscall.ECONNREFUSED},
		{"icmpx port-unreachable", true, syscall.ECONNREFUSED},
		{"icmpx admin-prohibited", false, syscall.EHOSTUNREACH},
		{"icmpx admin-prohibited", true, syscall.EACCES},
	} {
		t.Run(fmt.Sprintf("%s ipv6=%v", tt.with, tt.ipv6), func(t *testing.T) {
			t.Parallel()
			a, b, c := newCable(t)
			ip := b.IPv4
			if tt.ipv6 {
				ip = b.IPv6
			}
			ca, cb := connect(t, a, b, ip)
			userTimeout(t, ca, time.Second)
			labtest.Need(t, c.Reject(a, tt.with))
			write(t, ca)
			t.Log("dead after", dies(t, ca, tt.want))
			silent(t, cb, 100*time.Millisecond)
			labtest.Need(t, c.Heal())
			connect(t, a, b, ip)
		})
	}
}

func TestRejectOneWay(t *testing.T) {
	t.Parallel()
	a, b, c := newCable(t)
	ca, cb := connect(t, a, b, b.IPv4)
	labtest.Need(t, c.Reject(b, "tcp reset"))
	passes(t, ca, cb) // and its acknowledgement is rejected
	dies(t, cb, syscall.ECONNRESET)
	silent(t, ca, 100*time.Millisecond)
}

func TestMasquerade(t *testing.T) {
	t.Parallel()
	a, b, c := newCable(t)
	labtest.Need(t, c.Masquerade(a, 3500*time.Millisecond)) // 4 s
	busy, busyPeer := connect(t, a, b, b.IPv4)
	idle, idlePeer := connect(t, a, b, b.IPv4)
	idle6, idlePeer6 := connect(t, a, b, b.IPv6)
	for _, c := range []*net.TCPConn{busyPeer, idlePeer, idlePeer6} {
		if ip := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr(); ip == a.IPv4 || ip == a.IPv6 {
			t.Errorf("the server sees its client as %v itself", ip)
		}
	}
	keepAlive(t, busy, time.Second, time.Second, 1)
	passes(t, busy, busyPeer)
	silent(t, idle, 1500*time.Millisecond)
	passes(t, idle, idlePeer) // not forgotten yet
	passes(t, idlePeer6, idle6)
	silent(t, idle, 5*time.Second)
	write(t, idle)
	write(t, idlePeer)
	write(t, idle6)
	write(t, idlePeer6)
	for _, c := range []*net.TCPConn{idle, idlePeer, idle6, idlePeer6} {
		silent(t, c, 200*time.Millisecond)
	}
	passes(t, busy, busyPeer)
	passes(t, busyPeer, busy)
	if err := c.Masquerade(a, 0); !errors.Is(err, syscall.EINVAL) {
		t.Errorf("Masquerade(a, 0) = %v, want %v", err, syscall.EINVAL)
	}
}

func TestVanish(t *testing.T) {
	t.Parallel()
	a, b, _ := newCable(t)
	ca, cb := connect(t, a, b, b.IPv4)
	probed, vanished := connect(t, a, b, b.IPv6)
	keepAlive(t, probed, time.Second, time.Second, 5)
	passes(t, ca, cb)
	labtest.Need(t, netlab.Vanish(cb))
	labtest.Need(t, netlab.Vanish(vanished))
	silent(t, ca, 300*time.Millisecond) // no FIN
	write(t, ca)
	if d := dies(t, ca, syscall.ECONNRESET); d > 200*time.Millisecond {
		t.Errorf("reset %v after the write", d)
	}
	dies(t, probed, syscall.ECONNRESET)
	if err := netlab.Vanish(cb); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Vanish(closed) = %v, want %v", err, net.ErrClosed)
	}
}

// A proxy's host has two cables.
func TestTwoCables(t *testing.T) {
	t.Parallel()
	a, b, ab := newCable(t)
	z := labtest.NewHost(t)
	labtest.NewCable(t, b, z)
	ca, cb := connect(t, a, b, b.IPv4)
	cz, cbz := connect(t, z, b, b.IPv4)
	labtest.Need(t, ab.Cut())
	passes(t, cz, cbz)
	write(t, ca)
	silent(t, cb, 300*time.Millisecond)
	labtest.Need(t, a.Do(func() error {
		_, err := net.DialTimeout("tcp", netip.AddrPortFrom(z.IPv4, 1).String(), time.Second)
		if !errors.Is(err, syscall.ENETUNREACH) {
			return fmt.Errorf("dial across two cables = %v, want %v", err, syscall.ENETUNREACH)
		}
		return nil
	}))
}

func TestDo(t *testing.T) {
	t.Parallel()
	const file = "/proc/sys/net/ipv4/tcp_keepalive_time"
	outside, err := os.ReadFile(file)
	labtest.Need(t, err)
	home, err := os.Readlink("/proc/self/ns/net")
	labtest.Need(t, err)
	a, b := labtest.NewHost(t), labtest.NewHost(t)
	var wg sync.WaitGroup
	for i, h := range []*netlab.Host{a, b} {
		want := strconv.Itoa(1234 + i)
		labtest.Need(t, h.Do(func() error { return os.WriteFile(file, []byte(want), 0) }))
		for range 20 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				var got []byte
				err := h.Do(func() (err error) { got, err = os.ReadFile(file); return err })
				if err != nil || string(bytes.TrimSpace(got)) != want {
					t.Errorf("%s in host %d = %q, %v; want %s", file, i, got, err, want)
				}
			}()
		}
	}
	wg.Wait()
	for range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if ns, err := os.Readlink("/proc/thread-self/ns/net"); ns != home {
				t.Errorf("a goroutine outside is in %s, %v; want %s", ns, err, home)
			}
		}()
	}
	wg.Wait()
	if got, err := os.ReadFile(file); !bytes.Equal(got, outside) {
		t.Errorf("%s outside = %q, %v; want %q", file, got, err, outside)
	}
	if ns, err := os.Readlink("/proc/self/ns/net"); ns != home {
		t.Errorf("the main thread is in %s, %v; want %s", ns, err, home)
	}

	want := errors.New("its own")
	if err := a.Do(func() error { return want }); err != want {
		t.Errorf("Do = %v, want the function's error", err)
	}
	a.Close()
	if err := a.Do(func() error { return nil }); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Do in a closed host = %v, want %v", err, os.ErrClosed)
	}
	a.Close()
}

func TestStart(t *testing.T) {
	t.Parallel()
	h := labtest.NewHost(t)
	labtest.Need(t, h.Do(func() error {
		return os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_time", []byte("4321"), 0)
	}))
	var out strings.Builder
	cmd := exec.Command("cat", "/proc/sys/net/ipv4/tcp_keepalive_time")
	cmd.Stdout = &out
	labtest.Need(t, h.Start(cmd))
	if err := cmd.Wait(); err != nil || out.String() != "4321\n" {
		t.Errorf("keepalive time in the program = %q, %v; want 4321", out.String(), err)
	}

	cmd = exec.Command("sleep", "1000")
	labtest.Need(t, h.Start(cmd))
	h.Close()
	if err := cmd.Wait(); err == nil || err.Error() != "signal: killed" {
		t.Errorf("program of a closed host = %v, want signal: killed", err)
	}
	if err := h.Start(exec.Command("true")); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Start in a closed host = %v, want %v", err, os.ErrClosed)
	}
	if err := labtest.NewHost(t).Start(exec.Command("no-such-program")); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("Start of a missing program = %v, want %v", err, exec.ErrNotFound)
	}
}

// makeAndWait makes two hosts and a cable, starts programs, prints the namespaces that
// must vanish with it, and waits.
func makeAndWait() int {
	a, err := netlab.NewHost()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	b, err := netlab.NewHost()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if _, err := netlab.NewCable(a, b); err != nil {
		fmt.Println(err)
		return 1
	}
	one := exec.Command("sleep", "1000")
	two := exec.Command("sh", "-c", "sleep 2000 & wait")
	two.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	if err := errors.Join(a.Start(one), b.Start(two)); err != nil {
		fmt.Println(err)
		return 1
	}
	for _, h := range []*netlab.Host{a, b} {
		h.Do(func() error {
			ns, err := os.Readlink("/proc/thread-self/ns/net")
			fmt.Println(ns)
			return err
		})
	}
	fmt.Println()
	time.Sleep(time.Hour)
	return 0
}

// holders returns the files in /proc that refer to one of the network namespaces.
func holders(t *testing.T, ns []string) (pids []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/task/*/ns/net")
	labtest.Need(t, err)
	fds, err := filepath.Glob("/proc/[0-9]*/fd/*")
	labtest.Need(t, err)
	for _, file := range append(files, fds...) {
		link, err := os.Readlink(file)
		for _, n := range ns {
			if err == nil && link == n {
				pids = append(pids, file)
			}
		}
	}
	return pids
}

func TestKill(t *testing.T) {
	t.Parallel()
	labtest.NewHost(t).Close()
	cmd := doomed.Command()
	out, err := cmd.StdoutPipe()
	labtest.Need(t, err)
	labtest.Need(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	var ns []string
	for s := bufio.NewScanner(out); s.Scan() && s.Text() != ""; {
		ns = append(ns, s.Text())
	}
	if len(ns) != 2 || !strings.HasPrefix(ns[0], "net:[") {
		t.Fatalf("the program says %q", ns)
	}
	// The programs on the hosts, and what they started.
	if pids := holders(t, ns); len(pids) < 4 {
		t.Fatalf("before the kill only %q hold the namespaces", pids)
	}
	labtest.Need(t, cmd.Process.Kill())
	cmd.Wait()
	var left []string
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if left = holders(t, ns); left == nil {
			return
		}
	}
	t.Errorf("after the kill %q hold the namespaces", left)
}

// Where namespaces are not allowed, the error says so and can be matched. A
// user namespace with limits of zero allows none.
func TestNotAllowed(t *testing.T) {
	t.Parallel()
	labtest.NewHost(t)
	exe, err := os.Executable()
	labtest.Need(t, err)
	cmd := exec.Command("unshare", "--user", "--map-root-user", "sh", "-c",
		`for i in user net; do echo 0 >/proc/sys/user/max_${i}_namespaces || exit; done; exec "$0"`, exe)
	cmd.Env = append(os.Environ(), newHost.Env())
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	labtest.Need(t, err)
	if got, want := string(out), "true netlab: user namespaces are not allowed: "; !strings.HasPrefix(got, want) {
		t.Errorf("NewHost() = %q, want %q and more", got, want)
	}
	t.Log(string(out))
}

// A program that runs again keeps its identity and its exit status.
func TestEnter(t *testing.T) {
	t.Parallel()
	labtest.NewHost(t)
	exe, err := os.Executable()
	labtest.Need(t, err)
	cmd := exec.Command("unshare", "--user", "--map-current-user", exe, "-test.run=^TestTwoCables$", "-test.v")
	if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestTwoCables")) {
		t.Errorf("a process without capabilities: %v\n%s", err, out)
	}
}

func BenchmarkCable(b *testing.B) {
	for range b.N {
		x, err := netlab.NewHost()
		labtest.Need(b, err)
		y, err := netlab.NewHost()
		labtest.Need(b, err)
		c, err := netlab.NewCable(x, y)
		labtest.Need(b, err)
		c.Close()
		x.Close()
		y.Close()
	}
}

func BenchmarkCut(b *testing.B) {
	_, _, c := newCable(b)
	b.ResetTimer()
	for range b.N {
		labtest.Need(b, errors.Join(c.Cut(), c.Heal()))
	}
}

func BenchmarkDo(b *testing.B) {
	h := labtest.NewHost(b)
	b.ResetTimer()
	for range b.N {
		labtest.Need(b, h.Do(func() error { return nil }))
	}
}
