package tcpopt

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"runtime"
	"syscall"
	"time"
)

// Defaults returns what a new socket of this process gets. It asks a new
// socket, which is right in a container and in a network namespace of its own,
// and where /proc is missing or wrong. What a new socket does not say, because
// Windows is older than version 1709 or because this process may not make one,
// is taken from the system-wide settings of [SystemSettings], and a registry
// value that is absent counts as the value that Microsoft documents for that.
// A zero field is unknown; there is an error only if nothing could be learned.
//
// Sockets of package net differ: it switches keepalive on with an idle time and
// an interval of 15 s unless the program says otherwise.
func Defaults() (Config, error) {
	if !keepAlive.present() {
		return Config{}, &OptionError{"get", keepAlive.label, keepAlive.unsupported()}
	}
	var c Config
	err := fresh(func(s Socket) (err error) {
		c, err = s.Config()
		return err
	})
	if c.Idle != 0 && c.Interval != 0 && c.Count != 0 {
		return c, nil
	}
	for i := range systemRows {
		row := &systemRows[i]
		n, serr := readSystem(row.name)
		if errors.Is(serr, fs.ErrNotExist) && row.absent != 0 {
			n, serr = row.absent, nil
		}
		if serr != nil {
			continue
		}
		switch d := time.Duration(n) * row.unit(); {
		case row.of == &keepIdle && c.Idle == 0:
			c.Idle, err = d, nil
		case row.of == &keepInterval && c.Interval == 0:
			c.Interval, err = d, nil
		case row.of == &keepCount && c.Count == 0:
			c.Count, err = int(n), nil
		}
	}
	if err != nil {
		err = fmt.Errorf("tcpopt: defaults: %w", err)
	}
	return c, err
}

// A Setting is a system-wide setting that bears on keepalive.
type Setting struct {
	Name  string        // as the administrator knows it: "net.ipv4.tcp_keepalive_time"
	Value int64         // as the system has it
	Unit  time.Duration // of Value; 0: a count or a switch
	Err   error         // why it could not be read, and then Value is 0
}

// SystemSettings returns the system-wide settings: on Linux those of
// /proc/sys of the calling thread's network namespace, on the BSDs and macOS
// those of sysctl(3), on Windows those of the registry key
// HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters, where a value that
// nobody has set is absent and its Err matches [fs.ErrNotExist]. Where the
// system has none that a program can read (illumos, Solaris, AIX, plan9, js,
// wasip1), the error matches [errors.ErrUnsupported].
//
// They say where a default comes from; for what is in effect ask
// [Defaults] or the socket itself. On Linux a socket follows a changed setting until
// its own value is set. gVisor answers with numbers that it does not use.
func SystemSettings() ([]Setting, error) {
	if len(systemRows) == 0 {
		return nil, fmt.Errorf("tcpopt: no system-wide settings on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	}
	settings := make([]Setting, len(systemRows))
	for i := range systemRows {
		row := &systemRows[i]
		n, err := readSystem(row.name)
		settings[i] = Setting{Name: row.name, Value: n, Unit: row.unit(), Err: err}
	}
	return settings, nil
}

// A systemRow is a system-wide setting as one system has it.
type systemRow struct {
	name   string
	tick   time.Duration // the unit, unless there is a rate; 0: a count or a switch
	rate   string        // the setting that has the units per second
	of     *option       // whose default it is, if any
	absent int64         // what its absence stands for, by the vendor's word
}

func (r *systemRow) unit() time.Duration {
	if r.rate != "" {
		if hz, err := readSystem(r.rate); err == nil && hz > 0 {
			return time.Second / time.Duration(hz)
		}
	}
	return r.tick
}

// fresh calls f with a new TCP socket, neither bound nor connected.
func fresh(f func(Socket) error) error {
	var ferr error
	done := errors.New("done")
	d := net.Dialer{Control: func(_, _ string, rc syscall.RawConn) error {
		ferr = f(Socket{raw: rc, kind: stream})
		return done // Package net closes the socket, which it has not connected.
	}}
	_, err := d.Dial("tcp", "127.0.0.1:1")
	if !errors.Is(err, done) {
		_, err6 := d.Dial("tcp", "[::1]:1")
		err = errors.Join(err, err6)
	}
	if !errors.Is(err, done) {
		return err
	}
	return ferr
}
