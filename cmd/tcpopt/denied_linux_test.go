package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// unfit is the exit status of a program below that cannot do here what it is for.
const unfit = 99

// An asked is what is asked, the one line that is answered, and the status. Where
// that is 0 the line is among others on standard output.
type asked struct {
	args   string
	want   string // a regular expression
	status int
}

// ask runs program, which runs the command with the arguments.
func (q asked) ask(t testing.TB, program *exec.Cmd) {
	t.Helper()
	var out, errs bytes.Buffer
	program.Stdout, program.Stderr = &out, &errs
	err := program.Run()
	status := program.ProcessState.ExitCode()
	if program.ProcessState == nil || status == unfit {
		t.Skipf("not here: %v, %s", err, &errs)
	}
	said := errs.String()
	if q.status == 0 {
		said = ""
		for _, line := range strings.SplitAfter(out.String(), "\n") {
			if ok, _ := regexp.MatchString("^"+q.want+"\n$", line); ok {
				said = line
			}
		}
		if errs.Len() > 0 {
			said = errs.String()
		}
	}
	if ok, err := regexp.MatchString("^"+q.want+"\n$", said); err != nil || !ok || status != q.status {
		t.Errorf("%s: status %d, stderr %q, stdout %.2000q, want %d and the line %q", q.args, status, &errs, &out, q.status, q.want)
	}
}

var confinedProgram = labtest.NewProgram("confined", confined)

// confined is the command with a seccomp filter that gives an errno to a call:
// the first two arguments.
func confined() int {
	const allow, deny = 0x7fff0000, 0x00050000 // SECCOMP_RET_ALLOW and _ERRNO of seccomp(2)
	call, err := strconv.ParseUint(os.Args[1], 10, 32)
	errno, err2 := strconv.ParseUint(os.Args[2], 10, 16)
	if err != nil || err2 != nil {
		return unfit
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(call), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: deny | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
	}
	fprog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	const setModeFilter, allThreads = 1, 1
	if _, _, errno := unix.Syscall(unix.SYS_SECCOMP, setModeFilter, allThreads, uintptr(unsafe.Pointer(&fprog))); errno != 0 {
		fmt.Fprintln(os.Stderr, "seccomp:", errno)
		return unfit
	}
	return run(os.Args[3:], os.Stdout, os.Stderr)
}

// TestDeniedBySeccomp forbids one call after the other that taking a descriptor and
// reading it takes.
func TestDeniedBySeccomp(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	r, _ := hold(t, plainly, "-n", "1")
	fstat := uintptr(unix.SYS_FSTAT)
	if runtime.GOARCH == "386" {
		fstat = 197 // fstat64 of arch/x86/entry/syscalls/syscall_32.tbl
	}
	for _, tt := range []struct {
		name   string
		call   uintptr
		errnos []unix.Errno
	}{
		{"pidfd_open", unix.SYS_PIDFD_OPEN, []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS}},
		{"pidfd_getfd", unix.SYS_PIDFD_GETFD, []unix.Errno{unix.EPERM, unix.EACCES, unix.ENOSYS}},
		{"fstat", fstat, []unix.Errno{unix.EPERM, unix.ENOSYS}},
		{"getsockopt", unix.SYS_GETSOCKOPT, []unix.Errno{unix.EPERM, unix.ENOSYS}},
	} {
		for _, errno := range tt.errnos {
			what := "descriptors may be listed but not taken and read: a seccomp filter on this process forbids " + tt.name
			if errno == unix.EACCES && tt.name == "pidfd_open" { // For all that can be known.
				what = "descriptors may be listed but not taken and read: a security module forbids it"
			}
			for _, q := range []asked{
				{"ls -pid " + r.PID(), "tcpopt ls: process " + r.PID() + ": " + what, 1},
				{"ls -json -pid " + r.PID(), "tcpopt ls: process " + r.PID() + ": " + what, 1},
				{"set -all -on -pid " + r.PID(), "tcpopt set: process " + r.PID() + ": " + what, 1},
			} {
				t.Run(fmt.Sprintf("%s, %d, %s", tt.name, errno, q.args), func(t *testing.T) {
					q.ask(t, confinedProgram.Command(append([]string{fmt.Sprint(tt.call), fmt.Sprint(int(errno))}, strings.Fields(q.args)...)...))
				})
			}
		}
	}
	asked{"ls", "tcpopt ls: descriptors may be listed but not taken and read: a seccomp filter on this process forbids pidfd_getfd", 1}.
		ask(t, confinedProgram.Command(fmt.Sprint(unix.SYS_PIDFD_GETFD), fmt.Sprint(int(unix.EPERM)), "ls"))
	// Without kcmp, other threads are taken to share the first one's descriptors.
	asked{"ls", `the kernel has no kcmp\(2\), or it is forbidden: .*`, 0}.
		ask(t, confinedProgram.Command(fmt.Sprint(unix.SYS_KCMP), fmt.Sprint(int(unix.ENOSYS)), "ls", "-pid", r.PID()))
	if sockets, _ := list(t, "-pid", r.PID(), "-without-keepalive"); len(sockets) != 2 {
		t.Errorf("something was set")
	}
}

var landlockedProgram = labtest.NewProgram("landlocked", landlocked)

// landlocked is the command in a domain of Landlock, a security module, that has no
// rules but to be a domain: it may not trace what is outside. See landlock(7).
func landlocked() int {
	runtime.LockOSThread()
	handled := uint64(1 << 9) // LANDLOCK_ACCESS_FS_MAKE_SOCK, which the command never does
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&handled)), unsafe.Sizeof(handled), 0)
	if errno == 0 {
		unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
		_, _, errno = unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, fd, 0, 0)
	}
	if errno != 0 {
		fmt.Fprintln(os.Stderr, "landlock:", errno)
		return unfit
	}
	// The domain is this thread's, and then that of all threads of the command.
	name, value, _ := strings.Cut(theCommand.Env(), "=")
	os.Setenv(name, value)
	cmd := theCommand.Command(os.Args[1:]...)
	fmt.Fprintln(os.Stderr, unix.Exec(cmd.Path, cmd.Args, cmd.Env))
	return unfit
}

func TestDeniedByModule(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	r, _ := hold(t, plainly, "-n", "1")
	what := "its descriptors may not be listed: it is not dumpable .*, or a security module forbids it"
	if os.Geteuid() == 0 {
		what = "their descriptors may not be listed: a security module forbids it"
	}
	for _, q := range []asked{
		{"ls -pid " + r.PID(), "tcpopt ls: process " + r.PID() + ": " + what, 1},
		{"set -all -on -pid " + r.PID(), "tcpopt set: process " + r.PID() + ": " + what, 1},
	} {
		q.ask(t, landlockedProgram.Command(strings.Fields(q.args)...))
	}
}

// TestDeniedNamespace is in a PID namespace of its own, and /proc is not.
func TestDeniedNamespace(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	needsPrograms(t)
	attr := func() *syscall.SysProcAttr {
		a := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
		if os.Geteuid() != 0 {
			a.Cloneflags |= syscall.CLONE_NEWUSER
		}
		return a
	}
	const want = "/proc is of another PID namespace than this process: enter that of the network alone, as nsenter -n does, or that of the mounts with that of processes, as nsenter -m -p does"
	for _, q := range []asked{
		{"ls", "tcpopt ls: " + want, 1},
		{"ls -json -pid 1", "tcpopt ls: " + want, 1},
		{"set -pid 1 -all -on", "tcpopt set: " + want, 1},
		{"metrics", "tcpopt metrics: " + want, 1},
	} {
		cmd := theCommand.Command(strings.Fields(q.args)...)
		cmd.SysProcAttr = attr()
		q.ask(t, cmd)
	}
	if os.Geteuid() != 0 {
		return
	}
	cmd := mountedProgram.Command("-", "0", "ls")
	cmd.SysProcAttr = attr()
	cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWNS
	asked{"ls", "0 sockets, 0 without keepalive, 0 suspect", 0}.ask(t, cmd)
}

var mountedProgram = labtest.NewProgram("mounted", mounted)

// mounted mounts /proc with the options that are its first argument, in a mount
// namespace of its own, and is the command as the user of the second.
func mounted() int {
	err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	if err == nil {
		options := os.Args[1]
		if options == "-" {
			options = ""
		}
		err = unix.Mount("proc", "/proc", "proc", 0, options)
	}
	uid, uerr := strconv.ParseUint(os.Args[2], 10, 32)
	if err != nil || uerr != nil {
		fmt.Fprintln(os.Stderr, err, uerr)
		return unfit
	}
	cmd := theCommand.Command(os.Args[3:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	if err := cmd.Run(); cmd.ProcessState == nil {
		fmt.Fprintln(os.Stderr, err)
		return unfit
	}
	return cmd.ProcessState.ExitCode()
}

// TestDeniedHidden is where /proc is mounted with hidepid.
func TestDeniedHidden(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts /proc of all processes")
	}
	const me, other = 65534, 65533
	as := func(uid uint32) func(*exec.Cmd) error {
		return func(cmd *exec.Cmd) error {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			return cmd.Start()
		}
	}
	mine, _ := hold(t, as(me), "-n", "1", "-traceable")
	theirs, _ := hold(t, as(other), "-n", "1")
	yama, _ := os.ReadFile("/proc/sys/kernel/yama/ptrace_scope")
	if len(yama) > 0 && yama[0] > '1' {
		t.Skip("Yama lets nobody take a descriptor")
	}
	gone := "4194304" // More than there may be.
	const hidden = "hidden from this process: /proc is mounted with the option hidepid"
	for _, tt := range []struct {
		option, shown string
		counted       bool // each hidden process is known to be there
	}{
		{"hidepid=1", "hidepid=(noaccess|1)", true},
		{"hidepid=2", "hidepid=(invisible|2)", false},
		{"hidepid=4", "hidepid=(ptraceable|4)", false},
	} {
		questions := []asked{
			{"ls -pid " + theirs.PID(), "tcpopt ls: process " + theirs.PID() + ": " + hidden, 1},
			{"ls -json -pid " + theirs.PID(), "tcpopt ls: process " + theirs.PID() + ": " + hidden, 1},
			{"set -all -on -pid " + theirs.PID(), "tcpopt set: process " + theirs.PID() + ": " + hidden, 1},
			{"ls -pid " + gone, "tcpopt ls: process " + gone + ": no such process", 1},
			{"ls -pid " + mine.PID(), "2 sockets, 2 without keepalive, 0 suspect", 0},
			{"ls -name " + commandOf(t, mine.PID()), `[0-9]+ sockets?, .* suspect`, 0},
		}
		if tt.counted {
			questions = append(questions,
				asked{"ls", `  1(, [0-9]+){4} and [0-9]+ more: ` + hidden, 0},
				asked{"ls -name nobodyhasthis", "tcpopt ls: no process is named nobodyhasthis, but [0-9]+ process(es)? may be: /proc is mounted with the option hidepid, which hides their names", 1},
				asked{"set -name nobodyhasthis -all -on", "tcpopt set: no process is named nobodyhasthis, but [0-9]+ process(es)? may be: .*", 1},
				asked{"metrics", `tcpopt_processes_unreadable\{reason="hidden"\} [1-9][0-9]*`, 0})
		} else {
			questions = append(questions,
				asked{"ls", "there may be more processes, which are hidden: /proc is mounted with " + tt.shown, 0},
				asked{"ls -json", ` *"hidepid": "` + strings.TrimPrefix(tt.shown, "hidepid=") + `",`, 0},
				asked{"ls -name nobodyhasthis", "tcpopt ls: no process is named nobodyhasthis, of those that may be seen: /proc is mounted with " + tt.shown, 1},
				asked{"set -local 192.0.2.1 -on -dry-run", "tcpopt set: no TCP connection matches", 1},
				asked{"metrics", `tcpopt_processes_hidden 1`, 0})
		}
		ask := func(q asked, uid int, options string) {
			cmd := mountedProgram.Command(append([]string{options, fmt.Sprint(uid)}, strings.Fields(q.args)...)...)
			cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
			t.Run(options+" "+q.args, func(t *testing.T) { q.ask(t, cmd) })
		}
		for _, q := range questions {
			ask(q, me, tt.option)
		}
		// Who is exempt sees all, and so does root, but not what it may not trace.
		if tt.option == "hidepid=2" {
			ask(asked{"ls -json", ` *"hidepid": null,`, 0}, me, tt.option+",gid=65534")
			ask(asked{"ls -json", ` *"hidepid": null,`, 0}, 0, tt.option)
		}
		ask(asked{"ls -pid " + theirs.PID(), "2 sockets, 2 without keepalive, 0 suspect", 0}, 0, tt.option)
	}
}

// The main thread is to be that of a program whose main thread ends.
func init() {
	if os.Getenv("TCPOPT_TEST_PROGRAM") == "threads" {
		runtime.LockOSThread()
	}
}

var threadsProgram = labtest.NewProgram("threads", threads)

// threads holds a connection to itself: with the argument "ended" after its first
// thread has ended, and with "unshared" in a thread that has its descriptors to
// itself. It prints the address that it listens on.
func threads() int {
	ready := make(chan int)
	go func() {
		if os.Args[1] == "unshared" {
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_FILES); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(unfit)
			}
		}
		l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err == nil {
			err = unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		}
		if err == nil {
			err = unix.Listen(l, 1)
		}
		var c int
		if err == nil {
			c, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		}
		port := 0
		if err == nil {
			a, _ := unix.Getsockname(l)
			port = a.(*unix.SockaddrInet4).Port
			err = unix.Connect(c, a)
		}
		if err == nil {
			_, _, err = unix.Accept(l)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		ready <- port
		select {} // With the thread.
	}()
	port := <-ready
	go func() { io.Copy(io.Discard, os.Stdin); os.Exit(0) }()
	if os.Args[1] == "ended" {
		go func() {
			state := ""
			for state != "Z" {
				time.Sleep(time.Millisecond)
				stat, _ := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/stat", os.Getpid()))
				_, after, _ := bytes.Cut(stat, []byte(") "))
				state = string(after[:min(1, len(after))])
			}
			fmt.Println(port)
		}()
		unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
	}
	fmt.Println(port)
	select {}
}

// TestLsThreads lists and changes what is a process's, but not by its first thread.
func TestLsThreads(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	for _, how := range []string{"ended", "unshared"} {
		t.Run(how, func(t *testing.T) {
			r := start(t, threadsProgram.Command(how), plainly)
			port := r.Line(t)
			links, _ := filepath.Glob("/proc/" + r.PID() + "/task/*")
			if entries, _ := os.ReadDir("/proc/" + r.PID() + "/fd"); (len(entries) == 0) != (how == "ended") || len(links) < 2 {
				t.Fatalf("%s: threads %q, descriptors of the first %v", how, links, entries)
			}
			// By the name that ps has, too.
			status, stdout, stderr := command("ls", "-json", "-pid", r.PID(), "-name", commandOf(t, r.PID()))
			if strings.Contains(stderr, "before Linux 6.9") {
				asked{"", "tcpopt ls: process " + r.PID() + ": the first thread has ended, or another has descriptors of its own: before Linux 6.9 those cannot be taken", 1}.
					ask(t, theCommand.Command("ls", "-pid", r.PID()))
				return
			}
			sockets, whole := parse(t, stdout)
			if status != 0 || stderr != "" || len(sockets) != 2 || len(whole["unreadable_processes"].([]any)) != 0 {
				t.Fatalf("status %d, stderr %q, sockets %v, want both ends", status, stderr, sockets)
			}
			thread, ok := sockets[0]["thread"].(float64)
			if pid, _ := strconv.Atoi(r.PID()); !ok || int(thread) == pid || sockets[0]["pid"] != float64(pid) {
				t.Errorf("%v, want of a thread of %s", sockets[0], r.PID())
			}
			if sockets, _ := list(t, "-local", "127.0.0.1:"+port); len(sockets) != 1 {
				t.Errorf("of all processes: %v", sockets)
			}
			out := set(t, "-pid", r.PID(), "-remote", "127.0.0.1:"+port, "-on")
			if !strings.Contains(out, "1 changed") {
				t.Errorf("printed\n%s", out)
			}
			if sockets, _ := list(t, "-pid", r.PID(), "-without-keepalive"); len(sockets) != 1 {
				t.Errorf("after set: %v, want one without keepalive", sockets)
			}
			for _, q := range []asked{
				{fmt.Sprintf("ls -pid %v", thread), fmt.Sprintf("tcpopt ls: process %v: no such process, but a thread of process %s", thread, r.PID()), 1},
				{fmt.Sprintf("set -all -on -pid %v", thread), fmt.Sprintf("tcpopt set: process %v: no such process, but a thread of process %s", thread, r.PID()), 1},
			} {
				q.ask(t, theCommand.Command(strings.Fields(q.args)...))
			}
		})
	}
}
