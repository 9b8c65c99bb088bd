package tcpopt_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// echo is a peer that answers what it hears, as a program of its own.
var echo = labtest.NewProgram("echo", func() int {
	l, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return 1
		}
		go io.Copy(c, c)
	}
})

// set applies c, and fails the test where it cannot.
func set(t testing.TB, conn net.Conn, c tcpopt.Config) {
	t.Helper()
	if err := fromConn(t, conn).SetConfig(c); err != nil {
		t.Fatal(err)
	}
}

// hear lets near receive something from far. Silence counts from a little after
// the time it returns.
func hear(t testing.TB, near, far net.Conn) time.Time {
	t.Helper()
	start := time.Now()
	if _, err := far.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	near.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := io.ReadFull(near, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	return start
}

// end reads c until it ends, for at most limit, and returns when that was.
func end(c net.Conn, limit time.Duration) (time.Time, error) {
	c.SetReadDeadline(time.Now().Add(limit))
	_, err := io.Copy(io.Discard, c)
	if err == nil {
		err = io.EOF
	}
	return time.Now(), err
}

// alive fails the test if c ends within d.
func alive(t testing.TB, c net.Conn, d time.Duration) {
	t.Helper()
	if _, err := end(c, d); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("ended with %v, want alive for %v", err, d)
	}
}

// dead fails the test unless c ends because of a dead peer, between least and
// most after start.
func dead(t testing.TB, c net.Conn, start time.Time, least, most time.Duration) {
	t.Helper()
	at, err := end(c, most+time.Second)
	if after := at.Sub(start); !tcpopt.IsDeadPeer(err) || after < least || after > most {
		t.Errorf("after %v: %v, want a dead peer after %v to %v", after, err, least, most)
	}
}

// late is when a timer that is due after d may be through: each runs up to an
// eighth late.
func late(d time.Duration) time.Duration { return d + d*127/1000 + 300*time.Millisecond }

const early = 100 * time.Millisecond

// TestFaultUserTimeoutPastTick has user timeouts so little after a probe is due
// that this probe, being late, already meets them: an interval before the
// nominal time.
func TestFaultUserTimeoutPastTick(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		idle, interval, userTimeout, nominal time.Duration
	}{
		{1 * time.Second, 1 * time.Second, 2001 * time.Millisecond, 3 * time.Second},
		{1 * time.Second, 2 * time.Second, 3001 * time.Millisecond, 5001 * time.Millisecond},
		{2 * time.Second, 1 * time.Second, 3001 * time.Millisecond, 4 * time.Second},
	} {
		c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: tt.idle, Interval: tt.interval, Count: 9, UserTimeout: tt.userTimeout}
		t.Run(fmt.Sprintf("%v %v %v", c.Idle, c.Interval, c.UserTimeout), func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			near, far := l.Connect(t, false)
			set(t, near, c)
			start := hear(t, near, far)
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			if nominal, _ := c.DetectionTime(); nominal != tt.nominal {
				t.Errorf("DetectionTime() = %v, want %v", nominal, tt.nominal)
			}
			probe := c.UserTimeout.Truncate(time.Second)
			dead(t, near, start, probe-early, late(probe))
		})
	}
}

// TestFaultBusy cuts the cable under data in flight, where keepalive sleeps.
func TestFaultBusy(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name        string
		userTimeout time.Duration
	}{
		{"without a user timeout", 0},
		{"with a user timeout", 2 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			near, far := l.Connect(t, false)
			c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1, UserTimeout: tt.userTimeout}
			set(t, near, c)
			hear(t, near, far)
			if err := l.Cable.Cut(); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			if _, err := near.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			idle, busy := c.DetectionTime()
			if tt.userTimeout == 0 {
				if busy != tcpopt.Unbounded {
					t.Errorf("busy = %v, want Unbounded", busy)
				}
				alive(t, near, 3*idle)
				return
			}
			if busy != tt.userTimeout {
				t.Errorf("busy = %v, want %v", busy, tt.userTimeout)
			}
			dead(t, near, start, busy-early, late(busy)+rto)
		})
	}
}

// rto is more than two retransmission times after some seconds of silence.
const rto = 1600 * time.Millisecond

// TestFaultLateWrite writes just before the verdict, and the clock starts over.
func TestFaultLateWrite(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	near, far := l.Connect(t, false)
	c, err := tcpopt.Within(5 * time.Second)
	if err != nil {
		t.Fatal(err)
	}
	set(t, near, c)
	hear(t, near, far)
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	alive(t, near, 4*time.Second)
	start := time.Now()
	if _, err := near.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	dead(t, near, start, c.UserTimeout-early, late(c.UserTimeout)+rto)
}

// TestFaultOneWay loses what one end sends: its probes, or the answers to the
// other's. Neither end can tell which, and both give up.
func TestFaultOneWay(t *testing.T) {
	t.Parallel()
	for _, from := range []string{"near", "far"} {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			near, far := l.Connect(t, false)
			c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 2}
			set(t, near, c)
			start := hear(t, near, far)
			if err := l.Cable.Lose(map[string]*netlab.Host{"near": l.Near, "far": l.Far}[from]); err != nil {
				t.Fatal(err)
			}
			nominal, _ := c.DetectionTime()
			dead(t, near, start, nominal-early, late(nominal)+50*time.Millisecond)
		})
	}
}

// TestFaultNAT has a NAT router that forgets a connection after 3 s of silence.
func TestFaultNAT(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	labtest.Need(t, l.Cable.Masquerade(l.Near, 3*time.Second))
	kept, keptFar := l.Connect(t, false)
	lost, lostFar := l.Connect(t, false)
	set(t, kept, tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 3})
	set(t, lost, tcpopt.Config{KeepAlive: tcpopt.On, Idle: 5 * time.Second, Interval: time.Second, Count: 1})
	hear(t, kept, keptFar)
	start := hear(t, lost, lostFar)
	alive(t, kept, 4500*time.Millisecond)
	hear(t, kept, keptFar)
	if _, err := lostFar.Write([]byte{1}); err != nil {
		t.Fatal(err)
	}
	lost.SetReadDeadline(time.Now().Add(time.Second))
	if n, err := lost.Read(make([]byte, 1)); n != 0 || !(errors.Is(err, os.ErrDeadlineExceeded) || tcpopt.IsDeadPeer(err)) {
		t.Errorf("Read() = %d, %v from a connection that the router forgot", n, err)
	}
	dead(t, lost, start, 6*time.Second-early, late(6*time.Second))
}

// TestFaultFrozen stops the peer's process. Its kernel answers all the same, and
// keepalive cannot know.
func TestFaultFrozen(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	peer := labtest.Start(t, echo.Command(netip.AddrPortFrom(l.Far.IPv4, 0).String()), l.Far.Start)
	t.Cleanup(func() { peer.Process.Kill() }) // It does not read its input.
	near := labtest.Dial(t, l.Near, peer.Line(t), false)
	set(t, near, tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1})
	ask := func(within time.Duration) error {
		near.SetDeadline(time.Now().Add(within))
		if _, err := near.Write([]byte{1}); err != nil {
			return err
		}
		_, err := io.ReadFull(near, make([]byte, 1))
		return err
	}
	if err := ask(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if err := peer.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	alive(t, near, 5*time.Second)
	if p, err := fromConn(t, near).Progress(); err != nil || p.Probes != 0 || p.Silence > 1500*time.Millisecond || p.Aborted {
		t.Errorf("Progress() = %+v, %v, want answered probes", p, err)
	}
	if err := ask(100 * time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("echo of a frozen peer: %v", err)
	}
	if err := peer.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := ask(5 * time.Second); err != nil {
		t.Errorf("echo of a peer that goes on: %v", err)
	}
}

// TestFaultReboot has a peer that knows nothing of the connection any more: it
// answers, so it is not dead.
func TestFaultReboot(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	near, far := l.Connect(t, false)
	set(t, near, tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 3})
	start := hear(t, near, far)
	if err := netlab.Vanish(far); err != nil {
		t.Fatal(err)
	}
	at, err := end(near, 5*time.Second)
	if after := at.Sub(start); !errors.Is(err, syscall.ECONNRESET) || tcpopt.IsDeadPeer(err) || after < time.Second-early || after > late(time.Second) {
		t.Errorf("after %v: %v, want ECONNRESET after the first probe", after, err)
	}
}

// TestFaultShutWindow has a healthy peer that does not read. Linux holds the user
// timeout against it.
func TestFaultShutWindow(t *testing.T) {
	t.Parallel()
	for _, userTimeout := range []time.Duration{0, 2 * time.Second} {
		t.Run(userTimeout.String(), func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			near, far := l.Connect(t, false)
			set(t, near, tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1, UserTimeout: userTimeout})
			hear(t, near, far)
			written := make(chan error, 1)
			start := time.Now()
			near.SetWriteDeadline(start.Add(6 * time.Second))
			go func() {
				_, err := io.Copy(near, zeros{})
				written <- err
			}()
			err := <-written
			if userTimeout == 0 {
				if !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("Write: %v, want alive", err)
				}
				return
			}
			if after := time.Since(start); !tcpopt.IsDeadPeer(err) || after < userTimeout-early {
				t.Errorf("Write: %v after %v, want a dead peer after %v", err, after, userTimeout)
			}
		})
	}
}

// TestFaultReject has a firewall that answers for the peer.
func TestFaultReject(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		with string
		ipv6 bool
		want error
		dead bool
	}{
		{"port", "icmpx port-unreachable", false, syscall.ECONNREFUSED, true},
		{"prohibited", "icmpx admin-prohibited", false, syscall.EHOSTUNREACH, true},
		{"prohibited on ipv6", "icmpx admin-prohibited", true, syscall.EACCES, true},
		{"reset", "tcp reset", false, syscall.ECONNRESET, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			l := labtest.NewLab(t)
			address := l.Far.IPv4
			if tt.ipv6 {
				address = l.Far.IPv6
			}
			near, far := l.ConnectTo(t, address, false)
			set(t, near, tcpopt.Config{UserTimeout: time.Second})
			hear(t, near, far)
			labtest.Need(t, l.Cable.Reject(l.Near, tt.with))
			if _, err := near.Write([]byte{1}); err != nil {
				t.Fatal(err)
			}
			if _, err := end(near, 5*time.Second); !errors.Is(err, tt.want) || tcpopt.IsDeadPeer(err) != tt.dead {
				t.Errorf("ended with %v, a dead peer: %v, want %v", err, tcpopt.IsDeadPeer(err), tt.want)
			}
		})
	}
}

// TestFaultBothBlocked has a reader and a writer who wait when the kernel gives
// up. It reports it to only one of them.
func TestFaultBothBlocked(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	near, far := l.Connect(t, false)
	set(t, near, tcpopt.Config{UserTimeout: time.Second})
	hear(t, near, far)
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	near.SetDeadline(time.Now().Add(10 * time.Second))
	ends := make(chan error, 2)
	for _, wait := range []func() error{
		func() error { _, err := near.Read(make([]byte, 1)); return err },
		func() error { _, err := io.Copy(near, zeros{}); return err },
	} {
		go func() {
			err := wait()
			if p, perr := fromConn(t, near).Progress(); perr != nil || !p.Aborted {
				t.Errorf("Progress() = %+v, %v after %v, want Aborted", p, perr, err)
			}
			ends <- err
		}()
	}
	timeouts := 0
	for range 2 {
		switch err := <-ends; {
		case errors.Is(err, syscall.ETIMEDOUT):
			timeouts++
		case !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE):
			t.Errorf("ended with %v, want ETIMEDOUT, io.EOF or EPIPE", err)
		}
	}
	if timeouts != 1 {
		t.Errorf("%d of two were told ETIMEDOUT, want 1", timeouts)
	}
}

// TestFaultFIN has a peer that closes as it should.
func TestFaultFIN(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	near, far := l.Connect(t, false)
	hear(t, near, far)
	far.Close()
	if _, err := end(near, 5*time.Second); err != io.EOF {
		t.Errorf("ended with %v, want io.EOF", err)
	}
	if p, err := fromConn(t, near).Progress(); err != nil || p.Aborted {
		t.Errorf("Progress() = %+v, %v after a FIN, want not Aborted", p, err)
	}
}

// TestFaultMultipath has a connection that speaks multipath TCP. It outlives its
// only path by close_timeout, and dies with an error that says less.
func TestFaultMultipath(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	const closeTimeout = 2 * time.Second
	for _, h := range []*netlab.Host{l.Near, l.Far} {
		if err := h.Do(func() error { return os.WriteFile("/proc/sys/net/mptcp/close_timeout", []byte("2"), 0) }); err != nil {
			t.Skipf("no multipath TCP with a close timeout in this kernel: %v", err)
		}
	}
	near, far := l.Connect(t, true)
	c := tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 1}
	set(t, near, c)
	start := hear(t, near, far)
	_, err := fromConn(t, near).Progress()
	wantError(t, "Progress", err, "TCP_INFO", errors.ErrUnsupported)
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	nominal, _ := c.DetectionTime()
	nominal += closeTimeout
	at, err := end(near, late(nominal)+5*time.Second)
	if after := at.Sub(start); !errors.Is(err, unix.ENOTCONN) || tcpopt.IsDeadPeer(err) || after < nominal-early || after > late(nominal)+time.Second {
		t.Errorf("after %v: %v, want ENOTCONN after %v", after, err, nominal)
	}
}

// TestFaultProgress looks at the counters while a peer is silent.
func TestFaultProgress(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	near, far := l.Connect(t, false)
	set(t, near, tcpopt.Config{KeepAlive: tcpopt.On, Idle: time.Second, Interval: time.Second, Count: 9})
	hear(t, near, far)
	s := fromConn(t, near)
	before, err := s.Progress()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Cable.Cut(); err != nil {
		t.Fatal(err)
	}
	until(t, s, "two probes unanswered", func(p tcpopt.Progress) bool {
		return p.Probes == 2 && p.Silence > 2*time.Second-early && p.Silence < 3*time.Second && p.Pending == 0
	})
	if _, err := near.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	p := until(t, s, "1000 bytes in flight", func(p tcpopt.Progress) bool { return p.Pending == 1000 })
	if p.Acked != before.Acked || p.Received != before.Received || p.Aborted {
		t.Errorf("Progress() = %+v, was %+v before the cut", p, before)
	}
	if err := l.Cable.Heal(); err != nil {
		t.Fatal(err)
	}
	until(t, s, "acknowledged after all", func(p tcpopt.Progress) bool {
		return p.Acked == before.Acked+1000 && p.Pending == 0 && p.Probes == 0
	})
}
