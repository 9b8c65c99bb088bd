package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// What the test binary is as other programs.
var (
	theCommand  = labtest.NewProgram("tcpopt", func() int { main(); return 0 })
	nothing     = labtest.NewProgram("nothing", func() int { return 0 })
	holdProgram = labtest.NewProgram("hold", holdSockets)
)

// A held socket is what the program that has it says of it.
type held struct {
	FD                             int
	Local, Remote                  string
	Enable                         bool
	Idle, Interval, Count, Timeout float64
}

// traceable adds the flag that lets every program of this user take the sockets,
// also where Yama lets those alone that started this one.
func traceable(flags *flag.FlagSet) {
	flags.BoolFunc("traceable", "", func(string) error {
		const anyone = ^uintptr(0) // PR_SET_PTRACER_ANY of linux/prctl.h
		unix.Prctl(unix.PR_SET_PTRACER, anyone, 0, 0, 0)
		return nil
	})
}

// holdSockets holds connections to itself, prints what they have and waits for
// the end of its input.
func holdSockets() int {
	var flags flag.FlagSet
	n := flags.Int("n", 1, "how many connections")
	special := flags.Int("special", 0, "how many of them have a Config")
	ip := flags.String("ip", "127.0.0.1", "address")
	port := flags.String("port", "0", "where to listen")
	multipath := flags.Bool("mptcp", false, "multipath TCP")
	private := flags.Bool("private", false, "not dumpable")
	others := flags.Bool("others", false, "hold other kinds of sockets too")
	share := flags.Bool("share", false, "share them with another process")
	traceable(&flags)
	flags.Parse(os.Args[1:])
	if *private {
		unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	}
	lc := net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(*multipath)
	l, err := lc.Listen(context.Background(), "tcp", net.JoinHostPort(*ip, *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	d := net.Dialer{KeepAlive: -1}
	d.SetMultipathTCP(*multipath)
	var all []held
	var files []*os.File
	describe := func(s tcpopt.Socket, c syscall.Conn, local, remote net.Addr) {
		rc, _ := c.SyscallConn()
		h := held{Local: local.String()}
		if remote != nil {
			h.Remote = remote.String()
		}
		rc.Control(func(fd uintptr) { h.FD = int(fd) })
		config, err := s.Config()
		if err != nil {
			panic(err)
		}
		h.Enable, h.Idle, h.Interval = config.KeepAlive == tcpopt.On, config.Idle.Seconds(), config.Interval.Seconds()
		timeout, err := s.UserTimeout()
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			panic(err)
		}
		h.Count, h.Timeout = float64(config.Count), timeout.Seconds()
		all = append(all, h)
		if *share {
			f, err := c.(interface{ File() (*os.File, error) }).File()
			if err != nil {
				panic(err)
			}
			files = append(files, f)
		}
	}
	s, _ := tcpopt.FromListener(l)
	describe(s, l.(*net.TCPListener), l.Addr(), nil)
	var keep []any
	for i := range *n {
		c, err := d.Dial("tcp", l.Addr().String())
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		a, err := l.Accept()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for j, c := range []net.Conn{c, a} {
			s, err := tcpopt.FromConn(c)
			if err == nil && j == 0 && i < *special {
				config := tcpopt.Config{KeepAlive: tcpopt.On, Idle: 31 * time.Second, Interval: 7 * time.Second, Count: 5}
				if !*multipath {
					config.UserTimeout = 12345 * time.Millisecond
				}
				err = s.SetConfig(config)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
			describe(s, c.(*net.TCPConn), c.LocalAddr(), c.RemoteAddr())
		}
		keep = append(keep, c, a)
	}
	if *others {
		u, _ := net.ListenPacket("udp", "127.0.0.1:0")
		x, _ := net.Listen("unix", "@tcpopt-"+strconv.Itoa(os.Getpid()))
		r, w, _ := os.Pipe()
		keep = append(keep, u, x, r, w)
	}
	if *share {
		heir := labtest.Program("hold").Command("-n", "0")
		heir.ExtraFiles = files
		in, _ := heir.StdinPipe()
		out, _ := heir.StdoutPipe()
		if err := heir.Start(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		bufio.NewReader(out).ReadString('\n')
		defer func() { in.Close(); heir.Wait() }()
		for _, f := range files {
			f.Close()
		}
	}
	b, _ := json.Marshal(all)
	fmt.Printf("%s\n", b)
	io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(keep)
	return 0
}

// start starts a program with which the test talks by lines.
func start(t testing.TB, cmd *exec.Cmd, by func(*exec.Cmd) error) *labtest.Process {
	t.Helper()
	needsPrograms(t)
	return labtest.Start(t, cmd, by)
}

// hold starts a program that holds sockets.
func hold(t testing.TB, by func(*exec.Cmd) error, args ...string) (*labtest.Process, []held) {
	t.Helper()
	return read(t, holdProgram.Command(args...), by)
}

// read starts a program and reads what it says of its sockets.
func read(t testing.TB, cmd *exec.Cmd, by func(*exec.Cmd) error) (*labtest.Process, []held) {
	t.Helper()
	r := start(t, cmd, by)
	var all []held
	if line := r.Line(t); json.Unmarshal([]byte(line), &all) != nil {
		t.Fatalf("the program said %q", line)
	}
	return r, all
}

func plainly(cmd *exec.Cmd) error { return cmd.Start() }

// needsPrograms skips where the kernel does not start this program since an
// emulator runs it. That one does not translate what the kernel reports of programs
// either.
func needsPrograms(t testing.TB) {
	t.Helper()
	if err := unstartable(); err != nil {
		t.Skipf("cannot start programs here: %v", err)
	}
}

// unstartable is tried once: among many threads the fork of qemu's user mode now
// and then waits for ever.
var unstartable = sync.OnceValue(func() error {
	err := nothing.Command().Run()
	if errors.Is(err, syscall.ENOEXEC) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.EACCES) {
		return err
	}
	return nil
})

var needsTaking = labtest.NeedTaking

// ordinary is this program where a user may run it who is not root, and how it is
// run by one, or nil where this user is none.
func ordinary(t testing.TB) (exe string, by *syscall.SysProcAttr) {
	t.Helper()
	if os.Geteuid() != 0 {
		exe, err := os.Executable()
		labtest.Need(t, err)
		return exe, nil
	}
	exe = filepath.Join(labtest.OpenDir(t), "tcpopt")
	labtest.Need(t, exec.Command("cp", fmt.Sprintf("/proc/%d/exe", os.Getpid()), exe).Run())
	return exe, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
}

// renamed makes a link to the test binary of that name, by which a program that is
// started has its command.
func renamed(t testing.TB, name string) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(exe, link); err != nil {
		t.Fatal(err)
	}
	return link
}
