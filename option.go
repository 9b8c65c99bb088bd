package tcpopt

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"
)

// An option is a row: one option as one system has it.
type option struct {
	label       string
	level       int
	name        uint32        // 0: no such option here
	unit        time.Duration // of the kernel's number; 0: a count or a switch
	least, most int64         // what may be set, in that unit
	inherits    bool          // an accepted connection gets its listener's value
	mostSum     time.Duration // idle: of idle + count × interval, which wraps above; 0: it cannot
	system      string        // the system-wide setting to read where there is no option
	fixed       int64         // what is built in where there is neither
	note        string        // why a kernel or a socket may lack it

	progress func(fd uintptr) (Progress, error) // the counters, where the row has them and no number

	needsOn            bool // idle: setting it arms no timer while SO_KEEPALIVE is off
	endsBusy           bool // idle: keepalive also ends a connection with data in flight
	rearmsWithInterval bool // idle: the next probe is due an interval after an answered one
	outranksCount      bool // user timeout: it takes the place of count
}

// kernel converts d to the row's unit, rounded up.
func (o *option) kernel(d time.Duration) (int64, error) {
	if !o.present() {
		return 0, o.unsupported()
	}
	n := ceil(d, o.unit)
	if d < 0 || n < o.least || n > o.most {
		return 0, invalid(fmt.Sprintf("%v: out of range (%v to %v)", d, o.duration(o.least), o.duration(o.most)))
	}
	return n, nil
}

func (o *option) duration(n int64) time.Duration { return time.Duration(n) * o.unit }

// rounded is d as the kernel has it, or d where it cannot be set.
func (o *option) rounded(d time.Duration) time.Duration {
	if n, err := o.kernel(d); err == nil {
		return o.duration(n)
	}
	return d
}

// checkNone is kernel for Unbounded, which is 0 to a system that has that.
func (o *option) checkNone() error {
	if o.present() && o.least > 0 {
		return invalid(fmt.Sprintf("Unbounded: out of range (%v to %v)", o.duration(o.least), o.duration(o.most)))
	}
	return o.check(0)
}

// check is kernel for a count or a switch.
func (o *option) check(n int64) error {
	switch {
	case !o.present():
		return o.unsupported()
	case n < o.least || n > o.most:
		return invalid(fmt.Sprintf("%d: out of range (%d to %d)", n, o.least, o.most))
	}
	return nil
}

// unsupported is the answer where this system has no such option.
func (o *option) unsupported() error {
	return fmt.Errorf("%s: %w", cmp.Or(o.note, "not on "+runtime.GOOS), errors.ErrUnsupported)
}

// implied is what is in effect where there is no option.
func (o *option) implied() (int64, error) {
	switch {
	case o.system != "":
		return readSystem(o.system)
	case o.fixed != 0:
		return o.fixed, nil
	}
	return 0, o.unsupported()
}

// refused names the system call, unless err does, and if the kernel lacks the option,
// says why.
func (o *option) refused(call string, err error) error {
	if _, named := err.(*os.SyscallError); !named {
		err = os.NewSyscallError(call, err)
	}
	if o.note != "" && lacksOption(err) {
		err = fmt.Errorf("%w (%s)", err, o.note)
	}
	return err
}

// invalid is an error of the caller's.
type invalid string

func (e invalid) Error() string { return string(e) }
func (e invalid) Unwrap() error { return syscall.EINVAL }

// ceil is d/unit, rounded up.
func ceil(d, unit time.Duration) int64 {
	n := int64(d / unit)
	if d%unit > 0 {
		n++
	}
	return n
}
