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
	var v visit
	v.add(o, 0, nil)
	err := s.do(&v)
	return v.steps[0].n, err
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
		return setAll(s.conn, []step{{option: o, n: n}})
	}
	v := visit{set: true}
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

// setAll sets values that were checked, in order, up to the first refusal.
func setAll(c *net.TCPConn, steps []step) error {
	if len(steps) == 0 {
		return nil
	}
	var refused error
	rc, err := c.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) {
			for i := range steps {
				at := &steps[i]
				if err := setsockopt(fd, at.option, at.n); err != nil {
					refused = &OptionError{"set", at.label, at.refused("setsockopt", err)}
					return
				}
			}
		})
	}
	if err != nil {
		return &OptionError{"set", steps[0].label, err}
	}
	return refused
}

// do visits the descriptor, unless something forbids it beforehand or there is
// nothing to do.
func (s Socket) do(v *visit) error {
	switch {
	case s.conn == nil && s.raw == nil && s.kind != descriptor:
		v.err = invalid("zero Socket")
	case v.err != nil:
	case v.len == 0:
	case !keepAlive.present(): // Nor is RawConn.Control implemented there.
		v.err = v.steps[0].unsupported()
	case s.fd > maxFD:
		v.err = invalid(fmt.Sprintf("descriptor %d: out of range (0 to %d)", s.fd, uintptr(maxFD)))
	case s.kind == listener && v.set && !v.inherited():
		v.err = fmt.Errorf("on a listener, whose connections are not known to inherit it on %s: %w", runtime.GOOS, errors.ErrUnsupported)
	case s.conn != nil:
		w := *v // It escapes where Go is older than 1.26.
		rc, err := s.conn.SyscallConn()
		if err == nil {
			err = rc.Control(func(fd uintptr) { w.run(fd) })
		}
		*v = w
		v.err = cmp.Or(err, w.err)
	default:
		v.ask = s.kind <= descriptor
		v.err = s.control(v)
	}
	return v.refusal()
}

func (v *visit) refusal() error {
	if v.err == nil {
		return nil
	}
	op := "get"
	if v.set {
		op = "set"
	}
	return &OptionError{op, cmp.Or(v.at, v.steps[0].option, &keepAlive).label, v.err}
}

// control reaches the descriptor of what is no [*net.TCPConn].
func (s Socket) control(v *visit) error {
	if s.kind == descriptor {
		v.run(s.fd)
		return v.err
	}
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

// errNotRun is of a [syscall.RawConn] that is a stub, or whose error was lost.
var errNotRun = errors.New("the RawConn's Control did not call its function")

// fileClosed is what a closed *os.File says. Unlike what its other methods
// return, that of its RawConn matches nothing, not even [os.ErrClosed].
const fileClosed = "use of closed file"

// A visit reads or writes rows of one socket in order, up to the first refusal.
type visit struct {
	set   bool
	steps [5]step
	len   uint8
	done  uint8   // how many of the steps
	ask   bool    // first ask whether the socket is TCP
	spare bool    // what this system or socket lacks reads as 0 and is not set
	ran   bool    // the descriptor was reached
	at    *option // which err is about; nil: the first
	err   error

	progress Progress
}

// A step is a row and its value.
type step struct {
	*option
	n     int64
	lacks bool // this socket has no such option
}

// add adds a row, unless err or an earlier one refused it.
func (v *visit) add(o *option, n int64, err error) {
	switch {
	case v.err != nil:
	case err != nil:
		v.at, v.err = o, err
	default:
		to := &v.steps[v.len]
		to.option, to.n = o, n
		v.len++
	}
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
	for i := range v.steps[:v.len] {
		switch at := &v.steps[i]; {
		case at.inherits:
		case v.spare:
			at.lacks = true
		default:
			v.at = at.option
			return false
		}
	}
	return true
}

func (v *visit) run(fd uintptr) {
	v.ran, v.done, v.at, v.err = true, 0, nil, nil // A RawConn may run it twice.
	if v.ask {
		if v.err = askTCP(fd); v.err != nil {
			return
		}
	}
	for i := range v.steps[:v.len] {
		at := &v.steps[i]
		var err error
		var call string
		switch {
		case at.lacks:
		case v.set:
			call, err = "setsockopt", setsockopt(fd, at.option, at.n)
		case at.progress != nil:
			v.progress, err = at.progress(fd)
		case at.present():
			call = "getsockopt"
			at.n, err = getsockopt(fd, at.option)
		case v.spare && at.system == "" && at.fixed == 0:
			at.lacks = true // Without the error, which would allocate.
		default:
			at.n, err = at.implied()
		}
		switch {
		case err == nil:
		case v.spare && call != "" && lacksOption(err):
			at.lacks = true
		default:
			if call != "" {
				err = at.refused(call, err)
			}
			v.at, v.err = at.option, err
			return
		}
		v.done++
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
