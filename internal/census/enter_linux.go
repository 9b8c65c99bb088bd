package census

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Within calls f on a thread that is in the network namespace of a process. What f
// starts, goroutines too, may be elsewhere.
func Within(pid int, f func() error) error {
	err := checkProc()
	if err != nil {
		return err
	}
	err = enter("/proc/"+strconv.Itoa(pid)+"/ns/net", 0, f)
	var denied *fs.PathError
	switch {
	case isGone(err):
		return fmt.Errorf("process %d: no such process", pid)
	case errors.As(err, &denied) && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("process %d: its namespaces may not be seen: it belongs to another user, is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it", pid)
	case errors.Is(err, errEnter) && errors.Is(err, unix.EPERM):
		return fmt.Errorf("process %d: entering its network namespace takes CAP_SYS_ADMIN, here and where the namespace was made, as root has it: as root run this, or nsenter --net --target %[1]d tcpopt defaults", pid)
	}
	return err
}

// errEnter is that a namespace could not be entered.
var errEnter = errors.New("setns")

// enter calls f on a thread that is in the network namespace at path, which has that
// number unless it is 0. That thread ends then, lest somebody else find himself there.
func enter(path string, number uint64, f func() error) error {
	ns, err := os.Open(path)
	if err != nil {
		return err
	}
	defer ns.Close()
	if number != 0 {
		var st unix.Stat_t
		if err := unix.Fstat(int(ns.Fd()), &st); err != nil || st.Ino != number {
			return errors.Join(errChanged, err)
		}
	}
	done := make(chan error, 1)
	thread(func() {
		err := errors.New("the function did not return")
		defer func() { done <- err }()
		if errno := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); errno != nil {
			err = fmt.Errorf("%w: %w", errEnter, errno)
			return
		}
		err = f()
	})
	return <-done
}

// thread calls f on a thread that ends with f. The first thread cannot end, and what
// /proc says of the process is said of it: f gets another.
func thread(f func()) {
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != unix.Getpid() {
			f()
			return
		}
		other := make(chan struct{})
		thread(func() { close(other); f() })
		<-other
		runtime.UnlockOSThread()
	}()
}

// SystemLimit is that of the network namespace of the calling thread.
func SystemLimit() (Limit, error) {
	number := func(name string) (int, error) {
		text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(string(text)))
	}
	retries, err := number("tcp_retries2")
	if err != nil {
		return Limit{}, err
	}
	if retries < 0 || retries > math.MaxUint16 { // From Linux 5.14 on, 255 is the most.
		return Limit{}, fmt.Errorf("net.ipv4.tcp_retries2 is %d", retries)
	}
	most := 2 * time.Minute // TCP_RTO_MAX, which is a setting from Linux 6.15 on.
	if ms, err := number("tcp_rto_max_ms"); err == nil {
		most = time.Duration(ms) * time.Millisecond
	}
	return newLimit(retries, most), nil
}

// limits are the system's limits in the namespaces of sockets, as far as they may be
// entered.
func (t *tables) limits(sockets []Socket) map[uint64]*Limit {
	limits, asked := map[uint64]*Limit{}, map[uint64]bool{}
	for i := range sockets {
		ns := sockets[i].NetNS
		if asked[ns] {
			continue
		}
		asked[ns] = true
		read := func() error {
			l, err := SystemLimit()
			if err == nil {
				limits[ns] = &l
			}
			return err
		}
		// Of one that may not be entered, or is gone, it stays unknown.
		if ns == t.own {
			_ = read()
		} else {
			_ = enter(t.dirs[ns]+"/ns/net", ns, read)
		}
	}
	return limits
}
