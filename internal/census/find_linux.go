package census

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An owner is a table of descriptors, of a process or of a thread that has its own.
type owner struct {
	pid     int
	tid     int // the thread that has the table; 0: the process's first thread has it
	pidfd   int
	command string
	over    bool // for the taker: its descriptors are denied
}

// dir is the directory of o in /proc.
func (o *owner) dir() string {
	dir := "/proc/" + strconv.Itoa(o.pid)
	if o.tid != 0 {
		dir += "/task/" + strconv.Itoa(o.tid)
	}
	return dir
}

// open opens a pidfd for o. It comes before anything is read of a process, so that no
// descriptor belongs to another process with the same number.
func (o *owner) open() (err error) {
	if o.tid == 0 {
		o.pidfd, err = unix.PidfdOpen(o.pid, 0)
	} else {
		const thread = unix.O_EXCL // PIDFD_THREAD of include/uapi/linux/pidfd.h
		o.pidfd, err = unix.PidfdOpen(o.tid, thread)
	}
	if err == nil {
		return nil
	}
	o.pidfd = -1
	switch {
	case err == unix.EINVAL && o.tid != 0:
		return errThread
	case err == unix.EINVAL || err == unix.ENOENT: // A thread that leads no process.
		err = unix.ESRCH
	}
	return &callError{"pidfd_open", err}
}

// find loads the tables of the namespaces of a process's threads. It returns the
// process's tables of descriptors if it is wanted and may be read.
func (t *taker) find(pid int) (owners []*owner) {
	dir := "/proc/" + strconv.Itoa(pid)
	if wanted, err := t.query.wantsProcess(dir); !wanted {
		switch {
		case err != nil && errors.Is(err, unix.EPERM):
			t.deny(pid, errHidden) // It may be wanted.
		case err != nil && len(t.query.PIDs) > 0:
			t.deny(pid, t.unseen(pid, err))
		case err != nil && !isGone(err):
			t.deny(pid, err)
		}
		return nil
	}
	t.matched++
	threads, err := numbers(dir + "/task")
	if err != nil {
		t.deny(pid, t.unseen(pid, err))
		return nil
	}
	if len(t.query.PIDs) > 0 { // Otherwise they come from a list of processes.
		if leader := leaderOf(dir); leader != 0 && leader != pid {
			t.deny(pid, fmt.Errorf("a thread of process %d: %w", leader, unix.ESRCH))
			return nil
		}
	}
	err = t.tables.enter(dir)
	switch {
	case err == nil:
		owners = append(owners, &owner{pid: pid})
	case !isGone(err):
		t.deny(pid, err)
		return nil
	}
	// Each thread may have its own namespace and its own table. The process's first
	// thread may have ended before them, and has no table then.
	for _, tid := range threads {
		if tid == pid {
			continue
		}
		if err := t.tables.enter(dir + "/task/" + strconv.Itoa(tid)); err != nil {
			if isGone(err) {
				continue
			}
			t.deny(pid, err)
			break
		}
		if !t.shares(owners, tid) {
			owners = append(owners, &owner{pid: pid, tid: tid})
		}
	}
	switch {
	case len(owners) == 0:
		t.deny(pid, err)
	case len(owners) > 1 && owners[0].tid == 0 && lifeless(pid):
		owners = owners[1:] // The first thread stays until the last has ended, without a table.
	}
	return owners
}

// leaderOf returns the process of a process or thread of /proc, or 0 if that cannot be
// read.
func leaderOf(dir string) int {
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return 0
	}
	_, line, _ := strings.Cut(string(status), "\nTgid:")
	line, _, _ = strings.Cut(line, "\n")
	n, _ := strconv.Atoi(strings.TrimSpace(line))
	return n
}

// shares reports whether a thread shares the table of one of owners.
func (t *taker) shares(owners []*owner, tid int) bool {
	for _, o := range owners {
		const files = 2 // KCMP_FILES of include/uapi/linux/kcmp.h
		other := o.pid
		if o.tid != 0 {
			other = o.tid
		}
		order, _, errno := unix.RawSyscall6(unix.SYS_KCMP, uintptr(other), uintptr(tid), files, 0, 0, 0)
		switch {
		case errno == unix.ESRCH: // One of the two has ended.
		case errno != 0:
			t.Uncompared = true
			return true
		case order == 0:
			return true
		}
	}
	return false
}

// unseen returns errHidden if /proc hides the process, and err otherwise.
func (t *taker) unseen(pid int, err error) error {
	if errors.Is(err, unix.EPERM) || isGone(err) && unix.Kill(pid, 0) != unix.ESRCH {
		return errHidden
	}
	return err
}

// deny counts a process that could not be read. It leaves out one that has no
// descriptors or has ended, unless that one was asked for.
func (t *taker) deny(pid int, err error) {
	d := Denial{PID: pid, Reason: reasonOf(err), Err: err}
	if len(t.query.PIDs) == 0 && (d.Reason == Gone || lifeless(pid)) {
		return
	}
	var call *callError
	if errors.As(err, &call) {
		d.Call = call.call
	}
	if d.Reason == Gone && t.reads {
		d.Reason = Ended
	}
	d.Command, _ = commandOf("/proc/" + strconv.Itoa(pid))
	t.Denied = append(t.Denied, d)
}
