package bench

import (
	"net"
	"testing"
	"time"

	"github.com/mikioh/tcp"
	mikioh "github.com/mikioh/tcpopt"
	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

var (
	wanted = net.KeepAliveConfig{Enable: true, Idle: 30 * time.Second, Interval: 10 * time.Second, Count: 3}
	config = tcpopt.ConfigFromNet(wanted)
)

// A way is one way to make a call.
type way struct {
	call, by string
	make     func() error
}

// BenchmarkCall makes the same call in each way. Config reads everything there is,
// SetConfig sets the switch, idle, interval and count.
func BenchmarkCall(b *testing.B) {
	c, _ := labtest.Pair(b, "tcp4", false)
	var all []labtest.Way
	for _, w := range ways(b, c) {
		all = append(all, labtest.Way{Name: "call=" + w.call + "/by=" + w.by, Call: func() {
			if err := w.make(); err != nil {
				b.Fatal(err)
			}
		}})
	}
	labtest.Turns(b, 500, all)
}

func ways(t testing.TB, c *net.TCPConn) []way {
	t.Helper()
	s, err := tcpopt.FromConn(c)
	labtest.Need(t, err)
	m, err := tcp.NewConn(c)
	labtest.Need(t, err)
	rc, err := c.SyscallConn()
	labtest.Need(t, err)
	fd := 0
	rc.Control(func(d uintptr) { fd = int(d) })
	buf := make([]byte, 4)
	read := func(all ...mikioh.Option) error {
		for _, o := range all {
			if _, err := m.Option(o.Level(), o.Name(), buf); err != nil {
				return err
			}
		}
		return nil
	}
	set := func(all ...mikioh.Option) error {
		for _, o := range all {
			if err := m.SetOption(o); err != nil {
				return err
			}
		}
		return nil
	}
	return []way{
		{"get", "raw", func() error { _, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE); return err }},
		{"get", "tcpopt", func() error { _, err := s.KeepAliveIdle(); return err }},
		{"get", "mikioh/tcp", func() error { return read(mikioh.KeepAliveIdleInterval(0)) }},

		{"set", "raw", func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30) }},
		{"set", "tcpopt", func() error { return s.SetKeepAliveIdle(wanted.Idle) }},
		{"set", "net", func() error { return c.SetKeepAlivePeriod(wanted.Idle) }},
		{"set", "mikioh/tcp", func() error { return set(mikioh.KeepAliveIdleInterval(wanted.Idle)) }},

		{"Config", "raw", func() error { return rawConfig(fd) }},
		{"Config", "tcpopt", func() error { _, err := s.Config(); return err }},
		{"Config", "mikioh/tcp", func() error { // It has no user timeout.
			return read(mikioh.KeepAlive(true), mikioh.KeepAliveIdleInterval(0), mikioh.KeepAliveProbeInterval(0), mikioh.KeepAliveProbeCount(0))
		}},

		{"SetConfig", "raw", func() error { return rawSetConfig(fd) }},
		{"SetConfig", "tcpopt", func() error { return s.SetConfig(config) }},
		{"SetConfig", "net", func() error { return c.SetKeepAliveConfig(wanted) }},
		{"SetConfig", "mikioh/tcp", func() error {
			return set(mikioh.KeepAlive(true), mikioh.KeepAliveIdleInterval(wanted.Idle), mikioh.KeepAliveProbeInterval(wanted.Interval), mikioh.KeepAliveProbeCount(wanted.Count))
		}},
		{"SetConfig", "File", func() error { return fileSetConfig(c) }},
	}
}

func rawConfig(fd int) error {
	if _, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE); err != nil {
		return err
	}
	for _, name := range [...]int{unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT, unix.TCP_USER_TIMEOUT} {
		if _, err := unix.GetsockoptInt(fd, unix.IPPROTO_TCP, name); err != nil {
			return err
		}
	}
	return nil
}

func rawSetConfig(fd int) error {
	for _, o := range [...]struct{ level, name, n int }{
		{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 30},
		{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 10},
		{unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 3},
		{unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1},
	} {
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.n); err != nil {
			return err
		}
	}
	return nil
}

// fileSetConfig duplicates the descriptor, as many packages do. felixge/tcpkeepalive is
// one, but no Go proxy serves a version of it.
func fileSetConfig(c *net.TCPConn) error {
	f, err := c.File()
	if err != nil {
		return err
	}
	defer f.Close()
	return rawSetConfig(int(f.Fd()))
}

// TestCall checks that each way does what is measured.
func TestCall(t *testing.T) {
	c, _ := labtest.Pair(t, "tcp4", false)
	s, err := tcpopt.FromConn(c)
	labtest.Need(t, err)
	for _, w := range ways(t, c) {
		before := tcpopt.Config{KeepAlive: tcpopt.Off, Idle: time.Hour, Interval: time.Minute, Count: 7, UserTimeout: tcpopt.Unbounded}
		labtest.Need(t, s.SetConfig(before))
		if err := w.make(); err != nil {
			t.Errorf("%s by %s: %v", w.call, w.by, err)
		}
		want := before
		switch w.call {
		case "set":
			want.Idle = wanted.Idle
		case "SetConfig":
			want = config
			want.UserTimeout = tcpopt.Unbounded
		}
		if got, err := s.Config(); got != want || err != nil {
			t.Errorf("%s by %s: %+v, %v; want %+v", w.call, w.by, got, err, want)
		}
	}
}
