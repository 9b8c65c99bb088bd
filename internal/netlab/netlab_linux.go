package netlab

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// entering marks the environment of the second execution of the program.
const entering = "TCPOPT_NETLAB_ENTERING"

// enterArgs runs the program named after it in a new user namespace, as the same user,
// with only the capabilities needed here; tests use net_raw to forge a router's
// messages. A process with several threads cannot move itself, so this takes a program.
var enterArgs = [...]string{
	"unshare", "--user", "--map-current-user", "--keep-caps", "--",
	"setpriv", "--inh-caps=-all,+sys_admin,+net_admin,+net_raw", "--ambient-caps=-all,+sys_admin,+net_admin,+net_raw", "--",
}

func enter() error {
	again := os.Getenv(entering) != ""
	if err := os.Unsetenv(entering); err != nil {
		return err
	}
	ns, err := newNamespace()
	if err == nil {
		ns.close()
		return nil
	}
	if !errors.Is(err, errNotEntered) || again {
		return err
	}
	path, err := exec.LookPath(enterArgs[0])
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args := append(enterArgs[:], self)
	if err := os.Setenv(entering, "1"); err != nil {
		return err
	}
	return os.NewSyscallError("execve", syscall.Exec(path, append(args, os.Args[1:]...), os.Environ()))
}

var errNotEntered = errors.New("netlab.Enter was not called")

// denied returns the error of a process that may not make namespaces because of err.
// The kernel's errno says little, so it adds what an attempt prints.
func denied(err error) error {
	args := append(enterArgs[1:], "unshare", "--net", "true")
	out, tried := exec.Command(enterArgs[0], args...).CombinedOutput()
	switch {
	case tried == nil:
		err = fmt.Errorf("%w: %w", errNotEntered, err)
	case len(out) > 0: // After an unknown option, much help follows.
		line, _, _ := bytes.Cut(bytes.TrimSpace(out), []byte("\n"))
		err = fmt.Errorf("%w: %s", err, line)
	default:
		err = fmt.Errorf("%w: %w", err, tried)
	}
	return &unsupported{"user namespaces are not allowed", err}
}

// A namespace is a network namespace that lives as long as its descriptors and
// the sockets and threads in it.
type namespace struct {
	file  *os.File    // the namespace
	calls chan func() // for the thread that made it
	done  chan struct{}
	close func()

	mu   sync.Mutex // one request at a time
	rtnl *os.File   // rtnetlink(7)
}

func newNamespace() (*namespace, error) {
	ns := &namespace{calls: make(chan func()), done: make(chan struct{})}
	ns.close = sync.OnceFunc(func() {
		close(ns.done)
		ns.file.Close()
		ns.rtnl.Close()
	})
	made := make(chan error)
	thread(func() {
		err := ns.make()
		made <- err
		for err == nil {
			select {
			case f := <-ns.calls:
				f()
			case <-ns.done:
				return
			}
		}
	})
	if err := <-made; err != nil {
		ns.close()
		return nil, err
	}
	return ns, nil
}

// make moves the calling thread into a new namespace.
func (ns *namespace) make() error {
	err := os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET))
	if err != nil {
		return denied(err)
	}
	if ns.file, err = os.Open("/proc/thread-self/ns/net"); err != nil {
		return fmt.Errorf("netlab: %w", err)
	}
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("netlab: %w", os.NewSyscallError("socket", err))
	}
	ns.rtnl = os.NewFile(uintptr(fd), "rtnetlink")
	return nil
}

// thread calls f on a thread that ends with f, so that nothing else runs in a foreign
// namespace. The main thread cannot end, and /proc shows its state as the process's, so
// f gets another.
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

func (ns *namespace) do(f func() error) error {
	err := errors.New("netlab: the function did not return")
	done := make(chan struct{})
	thread(func() {
		defer close(done)
		if e := ns.enter(); e != nil {
			err = e
			return
		}
		err = f()
	})
	<-done
	return err
}

// enter moves the calling thread into the namespace.
func (ns *namespace) enter() error {
	var errno error
	err := ns.control(func(fd int) { errno = unix.Setns(fd, unix.CLONE_NEWNET) })
	if err == nil && errno != nil {
		err = fmt.Errorf("netlab: %w", os.NewSyscallError("setns", errno))
	}
	return err
}

// control calls f with the descriptor of the namespace, unless it is closed.
func (ns *namespace) control(f func(fd int)) error {
	rc, err := ns.file.SyscallConn()
	if err == nil {
		err = rc.Control(func(fd uintptr) { f(int(fd)) })
	}
	if err != nil {
		return fmt.Errorf("netlab: host: %w", os.ErrClosed)
	}
	return nil
}

func (ns *namespace) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	// The kernel sends it when the thread that started the program ends.
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	result := make(chan error, 1)
	select {
	case ns.calls <- func() { result <- cmd.Start() }:
		return <-result
	case <-ns.done:
		return fmt.Errorf("netlab: start %s: %w", cmd.Path, os.ErrClosed)
	}
}

func vanish(c *net.TCPConn) error {
	rc, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var errno error
	err = rc.Control(func(fd uintptr) {
		errno = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_REPAIR, 1)
	})
	if err == nil && errno != nil {
		err = fmt.Errorf("netlab: TCP_REPAIR: %w", os.NewSyscallError("setsockopt", errno))
	}
	return err
}
