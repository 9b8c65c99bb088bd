package tcpopt

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"time"
)

func (s Socket) get(o *option) (int64, error) {
	if s.conn != nil && o.present() {
		return getAlone(s.conn, o)
	}
	v := visit{op: "get"}
	v.add(o, 0, nil)
	err := s.do(&v)
	return v.n[0], err
}

func (s Socket) getDuration(o *option) (time.Duration, error) {
	n, err := s.get(o)
	return o.duration(n), err
}

func (s Socket) setDuration(o *option, d time.Duration) error {
	n, err := o.kernel(d)
	return s.set(o, n, err)
}

// set sets n, unless err refuses it.
func (s Socket) set(o *option, n int64, err error) error {
	if s.conn != nil && err == nil {
		return setAlone(s.conn, o, n)
	}
	v := visit{op: "set"}
	v.add(o, n, err)
	return s.do(&v)
}

// getAlone is the shortest way to one option of a connection, which does not pay for
// the five of a visit.
func getAlone(c *net.TCPConn, o *option) (int64, error) {
	var answer struct { // One variable escapes where Go is older than 1.26.
		n   int64
		err error
	}
	rc, err := c.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { answer.n, answer.err = getsockopt(fd, o) })
	}
	if err == nil && answer.err != nil {
		err = o.refused("getsockopt", answer.err)
	}
	if err != nil {
		return 0, &OptionError{"get", o.label, err}
	}
	return answer.n, nil
}

// setAlone is getAlone for a value that was checked.
func setAlone(c *net.TCPConn, o *option, n int64) error {
	var refused error
	rc, err := c.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) {
			if call, err := setsockopt(fd, o, n); err != nil {
				refused = o.refused(call, err)
			}
		})
	}
	if err == nil {
		err = refused
	}
	if err != nil {
		return &OptionError{"set", o.label, err}
	}
	return nil
}

// do visits the descriptor, unless something forbids it beforehand or there is
// nothing to do.
func (s Socket) do(v *visit) error {
	switch {
	case s.conn == nil && s.raw == nil && s.kind != descriptor:
		v.at = cmp.Or(v.at, &keepAlive)
		v.err = invalid("zero Socket")
	case v.err != nil:
	case v.len == 0:
	case !keepAlive.present(): // Nor is RawConn.Control implemented there.
		v.err = v.at.unsupported()
	case s.fd > maxFD:
		v.err = invalid(fmt.Sprintf("descriptor %d: out of range (0 to %d)", s.fd, uintptr(maxFD)))
	case s.kind == listener && v.op == "set" && !v.inherited():
		v.err = fmt.Errorf("on a listener, whose connections are not known to inherit it on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	default:
		v.ask = s.conn == nil && s.kind <= descriptor
		v.err = s.control(v)
	}
	return v.refusal()
}

func (v *visit) refusal() error {
	if v.err == nil {
		return nil
	}
	return &OptionError{v.op, v.at.label, v.err}
}

// control is the one way to the descriptor.
func (s Socket) control(v *visit) error {
	if s.kind == descriptor {
		v.run(s.fd)
		return v.err
	}
	if s.conn == nil {
		w := *v // Only this copy escapes.
		err := s.raw.Control(func(fd uintptr) { w.run(fd) })
		*v = w
		switch {
		case err == nil && !w.ran:
			err = errNotRun
		case err != nil && err.Error() == fileClosed:
			err = fmt.Errorf("%w: %w", net.ErrClosed, err)
		}
		return cmp.Or(err, w.err)
	}
	rc, err := s.conn.SyscallConn()
	if err != nil {
		return err
	}
	w := *v // It escapes too where Go is older than 1.26.
	err = rc.Control(func(fd uintptr) { w.run(fd) })
	*v = w
	return cmp.Or(err, w.err)
}

// errNotRun is of a [syscall.RawConn] that is a stub, or whose error was lost.
var errNotRun = errors.New("the RawConn's Control did not call its function")

// fileClosed is what a closed *os.File says. Unlike what its other methods
// return, that of its RawConn matches nothing, not even [os.ErrClosed].
const fileClosed = "use of closed file"

// A visit reads or writes rows of one socket in order, up to the first refusal.
type visit struct {
	op    string // "get" or "set"
	rows  [5]*option
	n     [5]int64 // the rows' values
	len   uint8
	ask   bool    // first ask whether the socket is TCP
	done  uint8   // how many of the rows
	spare bool    // what this socket lacks reads as 0 and is not set
	lacks [5]bool // what it lacks
	ran   bool    // the descriptor was reached
	at    *option // the row in hand, which err is about
	err   error

	progress Progress
}

// add adds a row, unless err or an earlier one refused it.
func (v *visit) add(o *option, n int64, err error) {
	if v.err != nil {
		return
	}
	if v.at == nil || err != nil {
		v.at = o
	}
	v.rows[v.len], v.n[v.len], v.err = o, n, err
	v.len++
}

func (v *visit) addDuration(o *option, d time.Duration) {
	n, err := o.kernel(d)
	v.add(o, n, err)
}

// addSwitch adds SO_KEEPALIVE, unless it is to be left alone.
func (v *visit) addSwitch(s Switch) {
	switch s {
	case Leave:
	case On:
		v.add(&keepAlive, 1, keepAlive.check(1))
	case Off:
		v.add(&keepAlive, 0, keepAlive.check(0))
	default:
		v.add(&keepAlive, 0, invalid(fmt.Sprintf("%v: out of range (%v to %v)", s, Leave, Off)))
	}
}

// addPair adds the row that takes idle and interval in one number.
func (v *visit) addPair(idle, interval time.Duration) {
	i, err := keepPair.kernel(idle)
	n, nerr := keepPair.kernel(interval)
	v.add(&keepPair, i<<32|n, cmp.Or(err, nerr))
}

// inherited reports whether accepted connections get every row from a listener,
// which lacks the others.
func (v *visit) inherited() bool {
	for i, o := range v.rows[:v.len] {
		switch {
		case o.inherits:
		case v.spare:
			v.lacks[i] = true
		default:
			v.at = o
			return false
		}
	}
	return true
}

func (v *visit) run(fd uintptr) {
	v.ran = true
	if v.ask {
		if v.err = askTCP(fd); v.err != nil {
			return
		}
	}
	for i, o := range v.rows[:v.len] {
		v.at = o
		switch {
		case v.lacks[i]:
		case o.progress != nil:
			v.progress, v.err = o.progress(fd)
		case v.op == "set":
			v.lacks[i], v.err = o.write(fd, v.n[i], v.spare)
		default:
			v.n[i], v.lacks[i], v.err = o.read(fd, v.spare)
		}
		if v.err != nil {
			return
		}
		v.done = uint8(i + 1)
	}
}

// askTCP returns nil if fd is a TCP socket, by an option that nothing else has.
func askTCP(fd uintptr) error {
	_, err := getsockopt(fd, onlyTCP)
	if lacksOption(err) || slices.Contains(notTCP, err) {
		return fmt.Errorf("not a TCP socket: %w", errors.ErrUnsupported)
	}
	return os.NewSyscallError("getsockopt", err)
}
