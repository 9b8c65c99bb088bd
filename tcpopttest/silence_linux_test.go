package tcpopttest_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/deaf"
	"github.com/tcpopt/tcpopt/tcpopttest"
)

var plain = link{network: "tcp4"}

// rto is more than the first retransmission timeout of a loopback connection.
const rto = 500 * time.Millisecond

// die waits until reading c fails by itself, and returns how long it took.
func die(t *testing.T, c net.Conn, start time.Time) time.Duration {
	t.Helper()
	c.SetReadDeadline(start.Add(4*due + 2*time.Second))
	_, err := c.Read(make([]byte, 1))
	took := time.Since(start)
	if !errors.Is(err, syscall.ETIMEDOUT) {
		t.Fatalf("Read() = %v after %v, want ETIMEDOUT", err, took)
	}
	return took
}

// checkIdleDeath fails unless c dies after due; the kernel's timers may be late by an
// eighth. The silence began between start and now.
func checkIdleDeath(t *testing.T, c net.Conn, start time.Time) {
	t.Helper()
	now := time.Now()
	took := die(t, c, start)
	atMost := took - now.Sub(start)
	least, most := due-100*time.Millisecond, time.Duration(1.127*float64(due))+300*time.Millisecond
	if took < least || atMost > most {
		t.Errorf("dead after %v to %v, want %v to %v", atMost, took, least, most)
	}
	t.Logf("dead after %v", took)
}

func info(t *testing.T, c net.Conn) *unix.TCPInfo {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var ti *unix.TCPInfo
	if cerr := rc.Control(func(fd uintptr) {
		ti, err = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	return ti
}

func TestSilence(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		link link
	}{
		{"ipv4", plain},
		{"ipv4 accepted", link{network: "tcp4", swap: true}},
		{"ipv6", link{network: "tcp6"}},
		{"ipv6 accepted", link{network: "tcp6", swap: true}},
		{"ipv4 mapped", link{network: "mapped"}},
		{"ipv4 mapped accepted", link{network: "mapped", swap: true}},
		{"tls", link{network: "tcp4", isSecure: true}},
		{"tls accepted", link{network: "tcp6", isSecure: true, swap: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now() // Silence begins a little later.
			near, peer := connect(t, tt.link)
			tcpopttest.Silence(t, peer)
			setConfig(t, near, shortest)
			checkIdleDeath(t, near, start)
		})
	}
}

// TestSilenceMultipathListener has a server's default if go.mod says go 1.24 or later:
// a listener that speaks multipath TCP and a client that does not.
func TestSilenceMultipathListener(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	lc.SetMultipathTCP(true)
	l, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	near, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { near.Close() })
	peer, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	start := time.Now()
	roundTrip(t, near, peer)
	tcpopttest.Silence(t, peer)
	setConfig(t, near, shortest)
	checkIdleDeath(t, near, start)
}

func TestSilenceMultipath(t *testing.T) {
	t.Parallel()
	near, peer := connect(t, link{network: "tcp4", multipath: true})
	if is, err := peer.(*net.TCPConn).MultipathTCP(); err != nil || !is {
		t.Skipf("no multipath TCP on this kernel: %v, %v", is, err)
	}
	for _, peer := range []net.Conn{near, peer} {
		got := record(t, func(tb testing.TB) { tcpopttest.Silence(tb, peer) })
		for _, want := range []string{"TCP_MD5SIG: ", "SO_ATTACH_FILTER: ", "multipath"} {
			if !strings.Contains(got.skip, want) {
				t.Errorf("skip %q, want %q", got.skip, want)
			}
		}
		if got.cleanups != 0 || got.fatal != "" {
			t.Errorf("%d cleanups, fatal %q", got.cleanups, got.fatal)
		}
	}
	roundTrip(t, near, peer)
}

// TestSilenceBusy has data in flight, which keepalive does not probe.
func TestSilenceBusy(t *testing.T) {
	t.Parallel()
	near, peer := connect(t, plain)
	setConfig(t, near, tcpopt.Config{UserTimeout: time.Second})
	tcpopttest.Silence(t, peer)
	start := time.Now()
	if _, err := near.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	took := die(t, near, start)
	if took < 900*time.Millisecond || took > 2500*time.Millisecond {
		t.Errorf("dead after %v, want about 1s and two retransmission timeouts", took)
	}
	t.Logf("dead after %v", took)
}

// TestSilenceDeaf shows that a write gets neither an ACK nor a RST.
func TestSilenceDeaf(t *testing.T) {
	t.Parallel()
	for _, w := range []deaf.Way{deaf.Signature, deaf.Filter} {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			near, peer := connect(t, plain)
			checkDeaf(t, near, peer, func() { tcpopttest.SilenceBy(t, peer, w) })
		})
	}
	t.Run("any", func(t *testing.T) {
		t.Parallel()
		near, peer := connect(t, plain)
		checkDeaf(t, near, peer, func() { tcpopttest.Silence(t, peer) })
	})
}

func checkDeaf(t *testing.T, near, peer net.Conn, silence func()) {
	t.Helper()
	silence()
	if _, err := near.Write([]byte("lost")); err != nil {
		t.Fatal(err)
	}
	before := info(t, near)
	if hears(t, peer, 2*rto) {
		t.Error("the peer heard")
	}
	if hears(t, near, 100*time.Millisecond) {
		t.Error("the peer spoke")
	}
	after := info(t, near)
	if after.State != unix.BPF_TCP_ESTABLISHED || after.Unacked == 0 || after.Total_retrans == 0 {
		t.Errorf("state %d, %d unacknowledged, %d retransmitted, want 1, more and more", after.State, after.Unacked, after.Total_retrans)
	}
	if after.Segs_in != before.Segs_in {
		t.Errorf("%d segments came in", after.Segs_in-before.Segs_in)
	}
}

// TestSilenceMute shows that what the peer writes does not arrive, or that the log says
// that it does.
func TestSilenceMute(t *testing.T) {
	t.Parallel()
	near, peer := connect(t, plain)
	got := record(t, func(tb testing.TB) { tcpopttest.Silence(tb, peer) })
	if got.skip != "" {
		t.Skip(got.skip)
	}
	_, other := connect(t, plain)
	if signed := record(t, func(tb testing.TB) { tcpopttest.SilenceBy(tb, other, deaf.Signature) }); signed.skip == "" && got.log != "" {
		t.Errorf("log %q where there are signatures", got.log)
	}
	if _, err := peer.Write([]byte("mute")); err != nil {
		t.Fatal(err)
	}
	if heard, want := hears(t, near, rto), strings.Contains(got.log, "not mute"); heard != want {
		t.Errorf("the peer was heard: %v, log %q", heard, got.log)
	}
	// A FIN is no exception.
	if err := peer.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got.log == "" && hears(t, near, rto) {
		t.Error("the peer's FIN was heard")
	}
}

// TestSilenceFilter has the way of last resort.
func TestSilenceFilter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		link link
	}{
		{"ipv4", plain},
		{"ipv6 accepted", link{network: "tcp6", swap: true}},
		{"ipv4 mapped", link{network: "mapped"}},
		{"an ACK is delayed", link{network: "tcp4", isSecure: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			near, peer := connect(t, tt.link)
			tcpopttest.SilenceBy(t, peer, deaf.Filter)
			setConfig(t, near, shortest)
			checkIdleDeath(t, near, start)
		})
	}
}

func TestSilenceHeals(t *testing.T) {
	t.Parallel()
	for _, w := range []deaf.Way{deaf.Signature, deaf.Filter} {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			near, peer := connect(t, plain)
			silent := false
			t.Run("silent", func(t *testing.T) {
				tcpopttest.SilenceBy(t, peer, w)
				silent = true
				if _, err := near.Write([]byte("near")); err != nil {
					t.Fatal(err)
				}
				if hears(t, peer, 100*time.Millisecond) {
					t.Error("the peer heard")
				}
			})
			if !silent {
				t.Skip("nothing to heal")
			}
			buf := make([]byte, 4)
			peer.SetReadDeadline(time.Now().Add(10 * time.Second))
			if _, err := io.ReadFull(peer, buf); err != nil || string(buf) != "near" {
				t.Errorf("Read() = %q, %v after the silence, want what was lost", buf, err)
			}
			roundTrip(t, near, peer)
		})
	}
}

// TestSilenceAgain also silences a silent peer for less time than it is silent.
func TestSilenceAgain(t *testing.T) {
	t.Parallel()
	for _, w := range []deaf.Way{deaf.Signature, deaf.Filter} {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			near, peer := connect(t, plain)
			tcpopttest.SilenceBy(t, peer, w)
			t.Run("inner", func(t *testing.T) {
				got := record(t, func(tb testing.TB) { tcpopttest.SilenceBy(tb, peer, w) })
				if got.skip != "" || got.fatal != "" || got.cleanups != 0 {
					t.Errorf("skip %q, fatal %q, %d cleanups, want none", got.skip, got.fatal, got.cleanups)
				}
			})
			if _, err := near.Write([]byte("lost")); err != nil {
				t.Fatal(err)
			}
			if hears(t, peer, rto) {
				t.Error("the peer heard")
			}
		})
	}
}

// TestSilenceLate shows that only what comes later is lost.
func TestSilenceLate(t *testing.T) {
	t.Parallel()
	near, peer := connect(t, plain)
	for _, c := range []net.Conn{near, peer} {
		if _, err := c.Write([]byte("early")); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []net.Conn{near, peer} {
		waitQueued(t, c, 5)
	}
	tcpopttest.Silence(t, peer)
	for _, c := range []net.Conn{near, peer} {
		buf := make([]byte, 5)
		if _, err := io.ReadFull(c, buf); err != nil || string(buf) != "early" {
			t.Errorf("Read() = %q, %v, want what had arrived", buf, err)
		}
	}
}

// TestSilenceAcknowledges has a write that the peer's program has read but not
// answered, so the kernel delays its ACK.
func TestSilenceAcknowledges(t *testing.T) {
	t.Parallel()
	start := time.Now()
	near, peer := connect(t, plain)
	if _, err := near.Write([]byte("r")); err != nil {
		t.Fatal(err)
	}
	if !hears(t, peer, 10*time.Second) {
		t.Fatal("the peer was deaf before")
	}
	tcpopttest.Silence(t, peer)
	setConfig(t, near, shortest)
	checkIdleDeath(t, near, start)
}

// waitQueued waits until n bytes can be read from c, and leaves them there.
func waitQueued(t *testing.T, c net.Conn, n int) {
	t.Helper()
	rc, err := c.(syscall.Conn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadDeadline(time.Now().Add(10 * time.Second))
	defer c.SetReadDeadline(time.Time{})
	buf := make([]byte, n)
	if err := rc.Read(func(fd uintptr) bool {
		got, _, err := unix.Recvfrom(int(fd), buf, unix.MSG_PEEK)
		return err != unix.EAGAIN && got == n
	}); err != nil {
		t.Fatal(err)
	}
}

func TestSilenceTooLate(t *testing.T) {
	t.Parallel()
	near, peer := connect(t, plain)
	near.(*net.TCPConn).SetLinger(0)
	near.Close()
	peer.Read(make([]byte, 1)) // The RST.
	got := record(t, func(tb testing.TB) { tcpopttest.Silence(tb, peer) })
	if want := "not connected"; !strings.Contains(got.fatal, want) {
		t.Errorf("aborted: fatal %q, skip %q, want fatal %q", got.fatal, got.skip, want)
	}
	peer.Close()
	got = record(t, func(tb testing.TB) { tcpopttest.Silence(tb, peer) })
	if want := "closed"; !strings.Contains(got.fatal, want) {
		t.Errorf("closed: fatal %q, skip %q, want fatal %q", got.fatal, got.skip, want)
	}
}

func TestSilenceNoTCP(t *testing.T) {
	t.Parallel()
	peer, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { peer.Close() })
	got := record(t, func(tb testing.TB) { tcpopttest.Silence(tb, peer) })
	if want := "not a TCP socket"; !strings.Contains(got.fatal, want) {
		t.Errorf("fatal %q, skip %q, want fatal %q", got.fatal, got.skip, want)
	}
}

// TestSilencePretended has a kernel that accepts everything and does nothing.
func TestSilencePretended(t *testing.T) {
	t.Parallel()
	near, peer := connect(t, plain)
	got := record(t, func(tb testing.TB) { tcpopttest.SilenceBy(tb, peer, tcpopttest.Pretended) })
	if want := "PRETENDED: accepted but without effect"; !strings.Contains(got.skip, want) || got.cleanups != 0 {
		t.Errorf("skip %q, %d cleanups, want skip %q", got.skip, got.cleanups, want)
	}
	roundTrip(t, near, peer)
}

// TestSilenceOwn has a peer whose program has set a key or a filter.
func TestSilenceOwn(t *testing.T) {
	t.Parallel()
	for _, w := range []deaf.Way{deaf.Signature, deaf.Filter} {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			_, peer := connect(t, plain)
			rc, err := peer.(*net.TCPConn).SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			rc.Control(func(fd uintptr) { err = w.Add(int(fd)) })
			if err != nil {
				t.Skipf("tcpopttest: this kernel cannot silence this peer: %s: %v", w.Name, os.NewSyscallError("setsockopt", err))
			}
			got := record(t, func(tb testing.TB) { tcpopttest.SilenceBy(tb, peer, w) })
			if errno := unix.ENOPROTOOPT.Error(); strings.Contains(got.skip, errno) {
				t.Skip(got.skip) // An emulator without the filter option.
			}
			if want := w.Name + ": the socket has one of its own"; !strings.Contains(got.fatal, want) || got.skip != "" || got.cleanups != 0 {
				t.Errorf("fatal %q, skip %q, %d cleanups, want fatal %q", got.fatal, got.skip, got.cleanups, want)
			}
		})
	}
}
