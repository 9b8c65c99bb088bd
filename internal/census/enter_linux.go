package census

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Within calls f on a thread in the network namespace of a process. Goroutines that f
// starts may be elsewhere.
func Within(pid int, f func() error) error {
	err := checkProc()
	if err != nil {
		return err
	}
	thread(func() {
		if err = enter("/proc/"+strconv.Itoa(pid)+"/ns/net", 0); err == nil {
			err = f()
		}
	})
	var denied *fs.PathError
	switch {
	case isGone(err):
		return fmt.Errorf("process %d: no such process", pid)
	case errors.As(err, &denied) && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("process %d: its namespaces may not be seen: it belongs to another user, is not dumpable or has more capabilities than this process, which needs CAP_SYS_PTRACE, as root has it", pid)
	case errors.Is(err, errEnter) && errors.Is(err, unix.EPERM):
		return fmt.Errorf("process %d: entering its network namespace takes CAP_SYS_ADMIN, here and where the namespace was made, as root has it: run this as root, or nsenter --net --target %[1]d tcpopt defaults", pid)
	}
	return err
}

// errEnter says that a namespace could not be entered.
var errEnter = errors.New("setns")

// enter moves the calling thread to the network namespace at path, which must have this
// number unless it is 0. Call it from the function of thread, so that nothing else runs
// on that thread.
func enter(path string, number uint64) error {
	ns, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(ns)
	if number != 0 {
		var st unix.Stat_t
		if err := unix.Fstat(ns, &st); err != nil || st.Ino != number {
			return errors.Join(errChanged, err)
		}
	}
	if err := unix.Setns(ns, unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("%w: %w", errEnter, err)
	}
	return nil
}

// thread calls f on a thread that ends with f, and then returns. The first thread
// cannot end, and /proc shows its state as the process's, so f gets another.
func thread(f func()) {
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() == unix.Getpid() {
			thread(f)
			runtime.UnlockOSThread()
		} else {
			f()
		}
		close(done)
	}()
	<-done
}

// SystemLimit returns the limit in the network namespace of the calling thread.
func SystemLimit() (Limit, error) {
	retries, err := sysctl("tcp_retries2")
	if err != nil {
		return Limit{}, err
	}
	if retries < 0 || retries > math.MaxUint16 { // From Linux 5.14 on, at most 255.
		return Limit{}, fmt.Errorf("net.ipv4.tcp_retries2 is %d", retries)
	}
	most := 2 * time.Minute // TCP_RTO_MAX, a setting from Linux 6.15 on.
	if ms, err := sysctl("tcp_rto_max_ms"); err == nil {
		most = time.Duration(ms) * time.Millisecond
	}
	return newLimit(retries, most), nil
}

// limits returns the system's limits in the namespaces of sockets that may be entered.
// One thread enters them all, which is cheaper than one for each.
func (t *tables) limits(sockets []Socket) map[uint64]*Limit {
	limits := map[uint64]*Limit{}
	read := func(ns uint64) {
		if l, err := SystemLimit(); err == nil {
			limits[ns] = &l
		}
	}
	var others []uint64
	asked := map[uint64]bool{}
	for i := range sockets {
		ns := sockets[i].NetNS
		if asked[ns] {
			continue
		}
		if asked[ns] = true; ns == t.own {
			read(ns)
		} else {
			others = append(others, ns)
		}
	}
	if len(others) > 0 {
		thread(func() {
			for _, ns := range others {
				if enter(t.dirs[ns]+"/ns/net", ns) == nil {
					read(ns)
				}
			}
		})
	}
	return limits
}
