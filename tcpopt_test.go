package tcpopt_test

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

func TestMain(m *testing.M) {
	if address := os.Getenv("TCPOPT_ECHO"); address != "" {
		echo(address)
		return
	}
	netlab.Enter()                  // Where it fails, NewHost says why.
	flag.Set("test.parallel", "64") // Tests that wait for a kernel's timers do nothing else.
	os.Exit(m.Run())
}

// A times is an option that is a time.
type times struct {
	name  string
	row   tcpopt.Row
	get   func(tcpopt.Socket) (time.Duration, error)
	set   func(tcpopt.Socket, time.Duration) error
	field func(*tcpopt.Config) *time.Duration
}

var allTimes = []times{
	{"idle", tcpopt.KeepIdleRow, tcpopt.Socket.KeepAliveIdle, tcpopt.Socket.SetKeepAliveIdle,
		func(c *tcpopt.Config) *time.Duration { return &c.Idle }},
	{"interval", tcpopt.KeepIntervalRow, tcpopt.Socket.KeepAliveInterval, tcpopt.Socket.SetKeepAliveInterval,
		func(c *tcpopt.Config) *time.Duration { return &c.Interval }},
	{"user timeout", tcpopt.UserTimeoutRow, tcpopt.Socket.UserTimeout, tcpopt.Socket.SetUserTimeout,
		func(c *tcpopt.Config) *time.Duration { return &c.UserTimeout }},
}

// allCalls is every method, as a read or a write of one option.
var allCalls = []struct {
	name  string
	label string
	call  func(tcpopt.Socket) error
}{
	{"KeepAlive", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAlive(); return err }},
	{"SetKeepAlive", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAlive(true) }},
	{"KeepAliveIdle", tcpopt.KeepIdleRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAliveIdle(); return err }},
	{"SetKeepAliveIdle", tcpopt.KeepIdleRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAliveIdle(time.Minute) }},
	{"KeepAliveInterval", tcpopt.KeepIntervalRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAliveInterval(); return err }},
	{"SetKeepAliveInterval", tcpopt.KeepIntervalRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAliveInterval(time.Minute) }},
	{"KeepAliveCount", tcpopt.KeepCountRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAliveCount(); return err }},
	{"SetKeepAliveCount", tcpopt.KeepCountRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAliveCount(3) }},
	{"UserTimeout", tcpopt.UserTimeoutRow.Label(), func(s tcpopt.Socket) error { _, err := s.UserTimeout(); return err }},
	{"SetUserTimeout", tcpopt.UserTimeoutRow.Label(), func(s tcpopt.Socket) error { return s.SetUserTimeout(time.Minute) }},
	{"Config", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { _, err := s.Config(); return err }},
	{"SetConfig", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { return s.SetConfig(tcpopt.Config{}) }},
	{"Progress", tcpopt.TCPInfoRow.Label(), func(s tcpopt.Socket) error { _, err := s.Progress(); return err }},
}

// A subject is a socket that options are tried on.
type subject struct {
	name      string
	socket    tcpopt.Socket
	multipath bool
	missing   error // why there is none here
}

// run runs f as a test of its own.
func (s subject) run(t *testing.T, f func(*testing.T)) {
	t.Run(s.name, func(t *testing.T) {
		if s.missing != nil {
			t.Skip(s.missing)
		}
		f(t)
	})
}

func (s subject) lacks(o times) bool {
	return !o.row.Settable() || s.multipath && o.name == "user timeout"
}

// subjects returns one socket of each kind that a program may hold.
func subjects(t *testing.T) []subject {
	t.Helper()
	needSockets(t)
	var all []subject
	for _, network := range []string{"tcp4", "tcp6"} {
		if err := networkMissing(network); err != nil {
			all = append(all, subject{name: network, missing: err})
			continue
		}
		client, server := connect(t, network, false)
		all = append(all,
			subject{name: network, socket: fromConn(t, client)},
			subject{name: network + " accepted", socket: fromConn(t, server)},
			subject{name: network + " before connect", socket: unconnected(t, network)})
	}
	client, _ := connectTLS(t)
	all = append(all, subject{name: "tls", socket: fromConn(t, client)})
	return append(all, multipathSubjects(t)...)
}

// loopback is an address of each network.
var loopback = map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}

// networkMissing returns why this machine lacks IPv4 or IPv6.
func networkMissing(network string) error {
	l, err := net.Listen(network, loopback[network])
	if err != nil {
		return fmt.Errorf("no %s here: %w", network, err)
	}
	return l.Close()
}

// needSockets skips where package net has no sockets of the system.
func needSockets(t testing.TB) {
	t.Helper()
	if !tcpopt.KeepAliveRow.Settable() {
		t.Skipf("no socket options on %s", runtime.GOOS)
	}
}

// connect returns both ends of a connection on which package net has left
// keepalive alone.
func connect(t testing.TB, network string, multipath bool) (client, server *net.TCPConn) {
	t.Helper()
	needSockets(t)
	l := listen(t, network, multipath)
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(multipath)
	c, err := d.Dial(network, l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return c.(*net.TCPConn), s.(*net.TCPConn)
}

func listen(t testing.TB, network string, multipath bool) *net.TCPListener {
	t.Helper()
	needSockets(t)
	return listenWith(t, listenConfig(multipath), network)
}

func listenConfig(multipath bool) *net.ListenConfig {
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(multipath)
	return &lc
}

func listenWith(t testing.TB, lc *net.ListenConfig, network string) *net.TCPListener {
	t.Helper()
	l, err := lc.Listen(context.Background(), network, loopback[network])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.TCPListener)
}

// unconnected returns a socket as a Control function gets it.
func unconnected(t testing.TB, network string) tcpopt.Socket {
	t.Helper()
	needSockets(t)
	return tcpopt.FromRawConn(newSocket(t, network))
}

// echo answers connections at address until it is killed.
func echo(address string) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(l.Addr())
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go io.Copy(c, c)
	}
}

func fromConn(t testing.TB, c net.Conn) tcpopt.Socket {
	t.Helper()
	s, err := tcpopt.FromConn(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(t testing.TB, s tcpopt.Socket) tcpopt.Config {
	t.Helper()
	c, err := s.Config()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks that err is an *OptionError for label and is target.
func wantError(t testing.TB, what string, err error, label string, target error) {
	t.Helper()
	var oe *tcpopt.OptionError
	if !errors.Is(err, target) || !errors.As(err, &oe) || oe.Option != label {
		t.Errorf("%s = %v, want an *OptionError for %s that is %q", what, err, label, target)
	}
}

// wantSystemCall checks that err names the system call between option and errno.
func wantSystemCall(t testing.TB, what string, err error) {
	t.Helper()
	if se := (*os.SyscallError)(nil); !errors.As(err, &se) || se.Syscall == "" {
		t.Errorf("%s = %v, without the system call", what, err)
	}
}

func TestSetKeepAlive(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			want := config(t, tt.socket)
			if want.Enable {
				t.Fatal("keepalive is on before it is switched on")
			}
			for _, want.Enable = range []bool{true, false, true} {
				if err := tt.socket.SetKeepAlive(want.Enable); err != nil {
					t.Fatal(err)
				}
				if got, err := tt.socket.KeepAlive(); got != want.Enable || err != nil {
					t.Errorf("KeepAlive() = %v, %v, want %v", got, err, want.Enable)
				}
				if got := config(t, tt.socket); got != want {
					t.Errorf("Config() = %+v, want %+v", got, want)
				}
			}
		})
	}
}

func TestSetTimes(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			for _, o := range allTimes {
				t.Run(o.name, func(t *testing.T) { testTime(t, tt, o) })
			}
		})
	}
}

func testTime(t *testing.T, tt subject, o times) {
	if tt.lacks(o) {
		testLacking(t, tt.socket, o)
		return
	}
	unit := o.row.Unit()
	steps := []struct{ in, want time.Duration }{
		{31 * time.Second, 31 * time.Second},
		{20*time.Second + 1, 20*time.Second + unit},
		{30*time.Second - unit/2, 30 * time.Second},
	}
	if runtime.GOOS != "windows" { // It documents no range; Wine's is its host's.
		least, most := o.row.Duration(o.row.Least()), o.row.Duration(o.row.Most())
		steps = append(steps, struct{ in, want time.Duration }{most, most},
			struct{ in, want time.Duration }{least, least})
	}
	for _, step := range steps {
		want := config(t, tt.socket)
		if *o.field(&want) == step.want {
			t.Fatalf("%v already before it is set", step.want)
		}
		*o.field(&want) = step.want
		if err := o.set(tt.socket, step.in); err != nil {
			t.Fatal(err)
		}
		if got, err := o.get(tt.socket); got != step.want || err != nil {
			t.Errorf("after setting %v: %v, %v, want %v", step.in, got, err, step.want)
		}
		if got := config(t, tt.socket); got != derived(want, got) {
			t.Errorf("after setting %v: %+v, want %+v", step.in, got, want)
		}
	}
}

// derived is want with what illumos makes up itself: count from interval, and the
// reverse, where the other was never set.
func derived(want, got tcpopt.Config) tcpopt.Config {
	want.Interval = cmp.Or(want.Interval, got.Interval)
	want.Count = cmp.Or(want.Count, got.Count)
	return want
}

// testLacking is the twin of TestSetTimes where the option is missing.
func testLacking(t *testing.T, s tcpopt.Socket, o times) {
	t.Helper()
	before := config(t, s)
	for _, d := range []time.Duration{0, time.Minute, -1} {
		if d != time.Minute && o.row.Settable() {
			continue // Refused for its value where the system has the option.
		}
		wantError(t, fmt.Sprintf("set %v", d), o.set(s, d), o.row.Label(), errors.ErrUnsupported)
	}
	if _, err := o.get(s); !o.row.Readable() || o.row.Settable() {
		wantError(t, "get", err, o.row.Label(), errors.ErrUnsupported)
	} else if err != nil {
		t.Error(err)
	}
	if after := config(t, s); after != before {
		t.Errorf("after the refusals: %+v, want %+v", after, before)
	}
}

func TestSetKeepAliveIdleRoundsUp(t *testing.T) {
	if row := tcpopt.KeepIdleRow; !row.Settable() || row.Least() > 2 || row.Unit() != time.Second {
		t.Skip("no idle time of 2 s on this OS, or in other units")
	}
	for _, network := range []string{"tcp4", "tcp6"} {
		if err := networkMissing(network); err != nil {
			t.Skip(err)
		}
		client, _ := connect(t, network, false)
		s := fromConn(t, client)
		if err := s.SetKeepAliveIdle(1500 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if got, err := s.KeepAliveIdle(); got != 2*time.Second || err != nil {
			t.Errorf("%s: KeepAliveIdle() = %v, %v, want 2s", network, got, err)
		}
	}
}

func TestSetKeepAliveCount(t *testing.T) {
	row := tcpopt.KeepCountRow
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			want := config(t, tt.socket)
			if !row.Settable() {
				wantError(t, "SetKeepAliveCount(3)", tt.socket.SetKeepAliveCount(3), row.Label(), errors.ErrUnsupported)
				return
			}
			counts := []int{3, 5}
			if runtime.GOOS != "windows" {
				counts = append(counts, int(row.Most()), int(row.Least()))
			}
			for _, n := range counts {
				if want.Count == n {
					t.Fatalf("count is %d before it is set", n)
				}
				want.Count = n
				if err := tt.socket.SetKeepAliveCount(n); err != nil {
					t.Fatal(err)
				}
				if got, err := tt.socket.KeepAliveCount(); got != n || err != nil {
					t.Errorf("KeepAliveCount() = %d, %v, want %d", got, err, n)
				}
				if got := config(t, tt.socket); got != derived(want, got) {
					t.Errorf("Config() = %+v, want %+v", got, want)
				}
			}
		})
	}
}

// badTimes are times that no system takes for the option.
func badTimes(row tcpopt.Row) []time.Duration {
	most := row.Duration(row.Most())
	bad := []time.Duration{-1, -time.Second, most + 1, most + row.Unit(), (1<<32 + 1) * time.Second, 1 << 62, math.MaxInt64, math.MinInt64}
	if row.Least() > 0 {
		bad = append(bad, 0)
	}
	return bad
}

var badCounts = []int{-1, 0, int(tcpopt.KeepCountRow.Most() + 1), math.MaxInt, math.MinInt}

func TestSetRefusesRange(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			before := config(t, tt.socket)
			check := func(in any, err error, label, want string) {
				t.Helper()
				wantError(t, fmt.Sprintf("set %v", in), err, label, syscall.EINVAL)
				want = fmt.Sprintf("tcpopt: set %s: %v: out of range (%s)", label, in, want)
				if err != nil && err.Error() != want {
					t.Errorf("set %v: %q, want %q", in, err, want)
				}
				if after := config(t, tt.socket); after != before {
					t.Errorf("set %v: config is %+v, want %+v", in, after, before)
				}
			}
			for _, o := range allTimes {
				if !o.row.Settable() {
					continue
				}
				bounds := fmt.Sprintf("%v to %v", o.row.Duration(o.row.Least()), o.row.Duration(o.row.Most()))
				for _, d := range badTimes(o.row) {
					check(d, o.set(tt.socket, d), o.row.Label(), bounds)
				}
			}
			if row := tcpopt.KeepCountRow; row.Settable() {
				for _, n := range badCounts {
					check(n, tt.socket.SetKeepAliveCount(n), row.Label(), fmt.Sprintf("%d to %d", row.Least(), row.Most()))
				}
			}
		})
	}
}

// full is a Config with every field that the OS has.
var full = tcpopt.Config{Enable: true, Idle: 33 * time.Second, Interval: 11 * time.Second, Count: 4, UserTimeout: 44 * time.Second}.Supported()

func TestSetConfig(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			set := full
			if tt.multipath {
				set.UserTimeout = 0
			}
			want := config(t, tt.socket)
			apply := func(c tcpopt.Config) {
				t.Helper()
				want.Enable = c.Enable
				for _, o := range allTimes {
					if d := *o.field(&c); d != 0 && o.row.Readable() {
						*o.field(&want) = d
					}
				}
				if c.Count != 0 {
					want.Count = c.Count
				}
				if err := tt.socket.SetConfig(c); err != nil {
					t.Fatal(err)
				}
				if got := config(t, tt.socket); got != want {
					t.Errorf("after SetConfig(%+v): %+v, want %+v", c, got, want)
				}
			}
			apply(set)
			apply(tcpopt.Config{})
			if set.UserTimeout != 0 {
				apply(tcpopt.Config{UserTimeout: set.UserTimeout + time.Second})
			}
			set.Idle, set.Interval = 2*set.Idle, 2*set.Interval
			set.Enable = false
			apply(set)
			apply(tcpopt.Config{Enable: true})
		})
	}
}

func TestSetConfigRefusedChangesNothing(t *testing.T) {
	for _, tt := range subjects(t) {
		tt.run(t, func(t *testing.T) {
			before := config(t, tt.socket)
			refused := func(c tcpopt.Config, label string, target error) {
				t.Helper()
				wantError(t, fmt.Sprintf("SetConfig(%+v)", c), tt.socket.SetConfig(c), label, target)
				if after := config(t, tt.socket); after != before {
					t.Errorf("SetConfig(%+v): config is %+v, want %+v", c, after, before)
				}
			}
			// A base that differs from what is set, in every field.
			base := full
			base.Enable = !before.Enable
			if tt.multipath {
				base.UserTimeout = 0
			}
			for _, o := range allTimes {
				c := base
				if tt.lacks(o) {
					if *o.field(&c) != 0 {
						continue // Set together with another.
					}
					*o.field(&c) = time.Minute
					refused(c, o.row.Label(), errors.ErrUnsupported)
					continue
				}
				for _, d := range badTimes(o.row) {
					if d == 0 {
						continue
					}
					*o.field(&c) = d
					refused(c, o.row.Label(), syscall.EINVAL)
				}
			}
			for _, n := range badCounts {
				c := base
				if c.Count = n; n == 0 {
					continue
				}
				if row := tcpopt.KeepCountRow; row.Settable() {
					refused(c, row.Label(), syscall.EINVAL)
				} else {
					refused(c, row.Label(), errors.ErrUnsupported)
				}
			}
		})
	}
}

func TestConfigValidate(t *testing.T) {
	if !tcpopt.KeepAliveRow.Settable() {
		wantError(t, "Config{}.Validate()", tcpopt.Config{}.Validate(), "SO_KEEPALIVE", errors.ErrUnsupported)
		if got := full.Supported(); got != (tcpopt.Config{}) {
			t.Errorf("Supported() = %+v, want none", got)
		}
		return
	}
	for _, c := range []tcpopt.Config{{}, {Enable: true}, full} {
		if err := c.Validate(); err != nil {
			t.Errorf("Validate(%+v) = %v, want nil", c, err)
		}
		if got := c.Supported(); got != c {
			t.Errorf("%+v.Supported() = %+v, want the same", c, got)
		}
	}
	for _, o := range allTimes {
		var c tcpopt.Config
		*o.field(&c) = -time.Second
		err := c.Validate()
		if !o.row.Settable() {
			wantError(t, o.name, err, o.row.Label(), errors.ErrUnsupported)
			if got := c.Supported(); got != (tcpopt.Config{}) {
				t.Errorf("%+v.Supported() = %+v, want none", c, got)
			}
			continue
		}
		wantError(t, o.name, err, o.row.Label(), syscall.EINVAL)
		if got := c.Supported(); got != c {
			t.Errorf("%+v.Supported() = %+v, want the same: it never clamps", c, got)
		}
	}
}

// TestPair holds where idle and interval can only be set together.
func TestPair(t *testing.T) {
	needSockets(t)
	if !tcpopt.KeepPairRow.Settable() || tcpopt.KeepIdleRow.Settable() && tcpopt.KeepIntervalRow.Settable() {
		t.Skip("idle and interval are options of their own")
	}
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	for _, on := range []bool{false, true} {
		if err := s.SetConfig(tcpopt.Config{Enable: on, Idle: 33 * time.Second, Interval: 11 * time.Second}); err != nil {
			t.Error(err)
		}
		if got, err := s.KeepAlive(); got != on || err != nil {
			t.Errorf("KeepAlive() = %v, %v, want %v", got, err, on)
		}
	}
	if os.Getenv("TCPOPT_HOLD") != "" { // Somebody wants to look at it from below.
		fmt.Println("holding port", client.LocalAddr().(*net.TCPAddr).Port)
		io.Copy(io.Discard, os.Stdin)
	}
	if err := s.SetConfig(tcpopt.Config{}); err != nil {
		t.Error(err)
	}
	err := s.SetConfig(tcpopt.Config{Enable: true, Idle: time.Minute, Interval: math.MaxInt64})
	wantError(t, "SetConfig", err, tcpopt.KeepPairRow.Label(), syscall.EINVAL)
	if on, err := s.KeepAlive(); on || err != nil {
		t.Errorf("KeepAlive() = %v, %v after a refusal, want false", on, err)
	}
}

func TestAbsentRow(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	for _, d := range []time.Duration{0, -1, time.Second} {
		err := tcpopt.AbsentRow.Set(s, d)
		wantError(t, fmt.Sprintf("set %v", d), err, "TCP_ABSENT", errors.ErrUnsupported)
		if err != nil && !strings.Contains(err.Error(), "not on "+runtime.GOOS) {
			t.Errorf("%q does not name the OS", err)
		}
	}
	_, err := tcpopt.AbsentRow.Get(s)
	wantError(t, "get", err, "TCP_ABSENT", errors.ErrUnsupported)

	wantError(t, "set", tcpopt.FixedRow.Set(s, time.Second), "TCP_FIXED", errors.ErrUnsupported)
	if got, err := tcpopt.FixedRow.Get(s); got != 8*time.Second || err != nil {
		t.Errorf("get = %v, %v, want 8s", got, err)
	}
	client.Close()
	_, err = tcpopt.FixedRow.Get(s)
	wantError(t, "get of a closed connection", err, "TCP_FIXED", net.ErrClosed)
}

// TestRowLogic has what other systems' rows say, on a socket of this one.
func TestRowLogic(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	s := fromConn(t, client)
	idle := tcpopt.KeepIdleRow
	if !idle.Settable() {
		t.Skip("no idle time on this OS")
	}

	before := config(t, s)
	uninherited := tcpopt.Uninherited()
	if idle.Inherits() {
		err := tcpopt.SetTwo(tcpopt.AsListener(s), idle, uninherited)
		wantError(t, "set on a listener", err, idle.Label(), errors.ErrUnsupported)
	}
	if after := config(t, s); after != before {
		t.Errorf("config is %+v after the refusal, want %+v", after, before)
	}
	if _, err := uninherited.Get(tcpopt.AsListener(s)); err != nil {
		t.Errorf("get from a listener: %v", err)
	}

	// The kernel refuses the second of two: the first stands, the error says which.
	err := tcpopt.SetTwo(s, idle, tcpopt.Misnumbered())
	wantError(t, "set of two", err, "TCP_MISNUMBERED", errors.ErrUnsupported)
	wantSystemCall(t, "set of two", err)
	if got, err := s.KeepAliveIdle(); got != time.Minute || err != nil {
		t.Errorf("KeepAliveIdle() = %v, %v, want what was written before the refusal", got, err)
	}
}

func TestWriteOrder(t *testing.T) {
	if !tcpopt.KeepIdleRow.Settable() || !tcpopt.KeepIntervalRow.Settable() {
		t.Skip("idle and interval are not options of their own on this OS")
	}
	on, idle, interval, count := tcpopt.KeepAliveRow.Label(), tcpopt.KeepIdleRow.Label(), tcpopt.KeepIntervalRow.Label(), tcpopt.KeepCountRow.Label()
	first := []string{}
	if tcpopt.UserTimeoutRow.Settable() { // What a socket may lack.
		first = []string{tcpopt.UserTimeoutRow.Label()}
	}
	for needsOn, want := range map[bool][]string{
		false: append(first[:len(first):len(first)], idle, interval, count, on),
		true:  append(first[:len(first):len(first)], on, idle, interval, count),
	} {
		if got := tcpopt.WriteOrder(full, needsOn); !slices.Equal(got, want) {
			t.Errorf("written in the order %v, want %v", got, want)
		}
	}
}

func TestClosed(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	rc, err := client.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := fromConn(t, client)
	client.Close()
	for _, tt := range allCalls {
		for _, s := range []tcpopt.Socket{s, tcpopt.FromRawConn(rc)} {
			err := tt.call(s)
			if errors.Is(err, errors.ErrUnsupported) && strings.HasPrefix(tt.name, "Set") {
				continue // The system lacks it, closed or not.
			}
			wantError(t, tt.name, err, tt.label, net.ErrClosed)
		}
	}
	if err := s.SetConfig(full); !errors.Is(err, net.ErrClosed) {
		t.Errorf("SetConfig(%+v) = %v, want net.ErrClosed", full, err)
	}
}

func TestZeroSocket(t *testing.T) {
	for _, tt := range allCalls {
		for _, s := range []tcpopt.Socket{{}, tcpopt.FromRawConn(nil)} {
			wantError(t, tt.name, tt.call(s), tt.label, syscall.EINVAL)
		}
	}
}

func TestUnsupportedOS(t *testing.T) {
	if tcpopt.KeepAliveRow.Settable() {
		t.Skip("this OS has socket options")
	}
	for _, tt := range allCalls {
		wantError(t, tt.name, tt.call(tcpopt.FromRawConn(noControl{})), tt.label, errors.ErrUnsupported)
	}
	if _, err := tcpopt.Defaults(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Defaults() = %v, want errors.ErrUnsupported", err)
	}
}

// noControl is a RawConn that must not be called.
type noControl struct{ syscall.RawConn }

func TestNotTCP(t *testing.T) {
	needSockets(t)
	for network, tcp := range map[string]string{"udp4": "tcp4", "udp6": "tcp6"} {
		t.Run(network, func(t *testing.T) {
			if err := networkMissing(tcp); err != nil {
				t.Skip(err)
			}
			testNotTCP(t, newSocket(t, network))
		})
	}
	t.Run("unix", func(t *testing.T) {
		l := unixListener(t)
		if l == nil {
			t.Skip("no Unix sockets here")
		}
		unix, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close()
		c := unix.(*net.UnixConn)
		if s, err := tcpopt.FromConn(c); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
			t.Errorf("FromConn(%T) = %v, %v, want none and errors.ErrUnsupported", c, s, err)
		}
		if s, err := tcpopt.FromListener(l); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
			t.Errorf("FromListener(%T) = %v, %v, want none and errors.ErrUnsupported", l, s, err)
		}
		rc, err := c.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		testNotTCP(t, rc)
	})
}

func testNotTCP(t *testing.T, rc syscall.RawConn) {
	t.Helper()
	if s, err := tcpopt.FromConn(conn{rc: rc}); !errors.Is(err, errors.ErrUnsupported) || s != (tcpopt.Socket{}) {
		t.Errorf("FromConn = %v, %v, want none and errors.ErrUnsupported", s, err)
	}
	for _, tt := range allCalls {
		wantError(t, tt.name, tt.call(tcpopt.FromRawConn(rc)), tt.label, errors.ErrUnsupported)
	}
}

// conn is a connection of somebody else's make.
type conn struct {
	net.Conn
	rc syscall.RawConn
}

func (c conn) SyscallConn() (syscall.RawConn, error) { return c.rc, nil }

// unixListener returns a Unix listener, or nil where there is none.
func unixListener(t *testing.T) *net.UnixListener {
	t.Helper()
	// Not in t.TempDir, which Wine 8.0 cannot remove. The listener removes it.
	l, err := net.Listen("unix", filepath.Join(os.TempDir(), fmt.Sprintf("tcpopt%d", os.Getpid())))
	if err != nil {
		return nil
	}
	t.Cleanup(func() { l.Close() })
	return l.(*net.UnixListener)
}

func TestFromConnRefuses(t *testing.T) {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	for _, tt := range []struct {
		name string
		conn net.Conn
		want error
	}{
		{"nil", nil, syscall.EINVAL},
		{"nil TCPConn", (*net.TCPConn)(nil), syscall.EINVAL},
		{"wrapper of nil", wrapper{}, syscall.EINVAL},
		{"pipe", client, errors.ErrUnsupported},
		{"wrapped pipe", wrapper{client}, errors.ErrUnsupported},
		{"ring", ring{}, errors.ErrUnsupported},
		{"17 wrappers", wrapped(17, client), errors.ErrUnsupported},
	} {
		if s, err := tcpopt.FromConn(tt.conn); !errors.Is(err, tt.want) || s != (tcpopt.Socket{}) {
			t.Errorf("%s: FromConn = %v, %v, want %v", tt.name, s, err, tt.want)
		}
	}
	for _, l := range []net.Listener{nil, hidden{}} {
		if s, err := tcpopt.FromListener(l); err == nil || s != (tcpopt.Socket{}) {
			t.Errorf("FromListener(%T) = %v, %v, want an error", l, s, err)
		}
	}
}

type wrapper struct{ net.Conn }

func (w wrapper) NetConn() net.Conn { return w.Conn }

// wrapped puts n wrappers around c.
func wrapped(n int, c net.Conn) net.Conn {
	for range n {
		c = wrapper{c}
	}
	return c
}

type ring struct{ net.Conn }

func (r ring) NetConn() net.Conn { return r }

type hidden struct{ net.Listener }

func TestFromConn(t *testing.T) {
	client, _ := connect(t, "tcp4", false)
	want := fromConn(t, client)
	if err := want.SetKeepAlive(true); err != nil {
		t.Fatal(err)
	}
	if _, err := tcpopt.FromConn(wrapped(17, client)); err == nil || !strings.Contains(err.Error(), "more than 16") {
		t.Errorf("FromConn of 17 wrappers: %v", err)
	}
	if got := fromConn(t, wrapped(16, client)); got != want {
		t.Errorf("FromConn of a wrapper = %v, want %v", got, want)
	}
	// An embedded *net.TCPConn is reached by its SyscallConn method.
	embedded := fromConn(t, struct{ *net.TCPConn }{client})
	if on, err := embedded.KeepAlive(); !on || err != nil {
		t.Errorf("KeepAlive() = %v, %v through an embedding, want true", on, err)
	}
}

func TestFromListener(t *testing.T) {
	l := listen(t, "tcp4", false)
	s, err := tcpopt.FromListener(l)
	if err != nil {
		t.Fatal(err)
	}
	before := config(t, s)
	if !tcpopt.KeepAliveRow.Inherits() {
		for _, tt := range allCalls {
			if strings.HasPrefix(tt.name, "Set") {
				wantError(t, tt.name, tt.call(s), tt.label, errors.ErrUnsupported)
			}
		}
		if after := config(t, s); after != before {
			t.Errorf("config is %+v after refusals, want %+v", after, before)
		}
		return
	}
	if err := s.SetConfig(full); err != nil {
		t.Fatal(err)
	}
	want := config(t, s)
	if want == before {
		t.Fatalf("SetConfig(%+v) changed nothing", full)
	}
	d := net.Dialer{KeepAlive: -1}
	c, err := d.Dial("tcp4", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	accepted, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer accepted.Close()
	if got := config(t, fromConn(t, accepted)); got != want {
		t.Errorf("accepted connection has %+v, want its listener's %+v", got, want)
	}
}

func TestDefaults(t *testing.T) {
	needSockets(t)
	got, err := tcpopt.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	want := config(t, unconnected(t, "tcp4"))
	if want.Idle == 0 || want.Interval == 0 { // The socket cannot tell.
		want.Idle, want.Interval = got.Idle, got.Interval
	}
	if got != want || got.Idle <= 0 {
		t.Errorf("Defaults() = %+v, want %+v", got, want)
	}
}

func TestSystemSettings(t *testing.T) {
	settings, err := tcpopt.SystemSettings()
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) || settings != nil {
			t.Errorf("SystemSettings() = %v, %v, want errors.ErrUnsupported", settings, err)
		}
		return
	}
	if len(settings) == 0 {
		t.Error("no settings and no error")
	}
	for _, s := range settings {
		if s.Name == "" || s.Unit < 0 || s.Err != nil && (s.Value != 0 || !errors.Is(s.Err, os.ErrNotExist)) {
			t.Errorf("%+v", s)
		}
	}
}

// TestConcurrent is for the race detector.
func TestConcurrent(t *testing.T) {
	client, server := connect(t, "tcp4", false)
	shared := []tcpopt.Socket{fromConn(t, client), fromConn(t, struct{ *net.TCPConn }{server})}
	var wg sync.WaitGroup
	for range 4 {
		for _, tt := range allCalls {
			wg.Go(func() {
				for _, s := range shared {
					if err := tt.call(s); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, net.ErrClosed) {
						t.Errorf("%s: %v", tt.name, err)
					}
				}
			})
		}
	}
	server.Close()
	wg.Wait()
}

// TestAllocs holds every method to no allocation.
func TestAllocs(t *testing.T) {
	plain, _ := connect(t, "tcp4", false)
	secure, _ := connectTLS(t)
	sockets := map[string]tcpopt.Socket{"tcp": fromConn(t, plain), "tls": fromConn(t, secure)}
	for _, tt := range multipathSubjects(t) {
		if tt.missing == nil {
			sockets[tt.name] = tt.socket
		}
	}
	for name, s := range sockets {
		for _, tt := range allCalls {
			if tt.call(s) != nil {
				continue // An error may allocate.
			}
			if n := testing.AllocsPerRun(100, func() { tt.call(s) }); n != 0 {
				t.Errorf("%s: %s allocates %v times", name, tt.name, n)
			}
		}
		c := full
		if s.SetConfig(c) != nil {
			c.UserTimeout = 0
		}
		if n := testing.AllocsPerRun(100, func() { s.SetConfig(c) }); n != 0 {
			t.Errorf("%s: SetConfig(%+v) allocates %v times", name, c, n)
		}
	}
}

func BenchmarkSocket(b *testing.B) {
	client, _ := connect(b, "tcp4", false)
	s := fromConn(b, client)
	for _, tt := range allCalls {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tt.call(s)
			}
		})
	}
	b.Run("SetConfig of all", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.SetConfig(full)
		}
	})
}

func BenchmarkDefaults(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tcpopt.Defaults()
	}
}

// TestSupportTable compares the table of the package documentation with the
// rows of this OS.
func TestSupportTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	inherits := "no"
	if tcpopt.KeepAliveRow.Inherits() {
		inherits = "yes"
	}
	want := []string{tcpopt.KeepIdleRow.Text(), tcpopt.KeepIntervalRow.Text(), tcpopt.KeepCountRow.Text(), tcpopt.UserTimeoutRow.Text(), inherits}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.TrimPrefix(line, "//"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if slices.Contains(strings.Split(cells[0], ", "), runtime.GOOS) {
			if got := cells[1:]; !slices.Equal(got, want) {
				t.Errorf("doc.go says %q of %s, its rows say %q", got, runtime.GOOS, want)
			}
			return
		}
	}
	t.Errorf("doc.go has no line for %s", runtime.GOOS)
}

// FuzzDuration checks duration, kernel's number, duration.
func FuzzDuration(f *testing.F) {
	for _, d := range []int64{0, 1, -1, int64(time.Second), math.MaxInt64, math.MinInt64, 1 << 62} {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, in int64) {
		d := time.Duration(in)
		for _, o := range allTimes {
			if !o.row.Settable() {
				continue
			}
			n, err := o.row.Kernel(d)
			if err != nil {
				if d > 0 && d <= o.row.Duration(o.row.Most()) && d > o.row.Duration(o.row.Least()-1) {
					t.Errorf("%s: %v refused: %v", o.name, d, err)
				}
				continue
			}
			back := o.row.Duration(n)
			if n < o.row.Least() || n > o.row.Most() || back < d || back-d >= o.row.Unit() {
				t.Errorf("%s: %v became %d and %v", o.name, d, n, back)
			}
			if again, err := o.row.Kernel(back); again != n || err != nil {
				t.Errorf("%s: %v became %d, %v the second time, want %d", o.name, back, again, err, n)
			}
		}
	})
}
