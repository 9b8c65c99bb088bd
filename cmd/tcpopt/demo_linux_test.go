package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// A show is a running demo.
type show struct {
	*exec.Cmd
	out          *os.File // where it is read
	seen, stderr bytes.Buffer
}

// stage starts cmd, which is to become the demo, in a terminal of 80 columns or,
// if there is no name of one, in a pipe. It has 15 s.
func stage(t testing.TB, cmd *exec.Cmd, by func(*exec.Cmd) error, terminal string) *show {
	t.Helper()
	s := &show{Cmd: cmd}
	cmd.Env = append(cmd.Environ(), theCommand.Env(), "TERM="+cmp.Or(terminal, "xterm"))
	cmd.Stderr = &s.stderr
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	var end *os.File
	var err error
	if terminal != "" {
		s.out, end = openTerminal(t)
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
		cmd.Stdin = end
	} else {
		cmd.SysProcAttr.Setpgid = true
		s.out, end, err = os.Pipe()
		labtest.Need(t, err)
	}
	cmd.Stdout = end
	err = by(cmd)
	end.Close()
	labtest.Need(t, err)
	t.Cleanup(func() {
		s.out.Close()
		cmd.Process.Kill()
		cmd.Wait()
	})
	labtest.Need(t, s.out.SetReadDeadline(time.Now().Add(15*time.Second)))
	return s
}

func openTerminal(t testing.TB) (master, tty *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	labtest.Need(t, err)
	rc, err := master.SyscallConn()
	labtest.Need(t, err)
	number := 0
	labtest.Need(t, rc.Control(func(fd uintptr) {
		number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		err = errors.Join(err, unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0),
			unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: lines + 1, Col: 80}))
	}))
	labtest.Need(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	labtest.Need(t, err)
	return master, tty
}

// until reads until words were seen, or to the end.
func (s *show) until(t testing.TB, words string) {
	t.Helper()
	for b := make([]byte, 4096); words == "" || !strings.Contains(s.seen.String(), words); {
		n, err := s.out.Read(b)
		s.seen.Write(b[:n])
		if words == "" && (err == io.EOF || errors.Is(err, syscall.EIO)) { // EIO is the end of a terminal.
			return
		}
		if err != nil {
			t.Fatalf("%v after\n%s%s", err, &s.seen, &s.stderr)
		}
	}
}

// wait returns all that was shown by a demo that goes well.
func (s *show) wait(t testing.TB) string {
	t.Helper()
	s.until(t, "")
	if err := s.Wait(); err != nil || s.stderr.Len() > 0 {
		t.Fatalf("%v, stderr %q, after\n%s", err, &s.stderr, &s.seen)
	}
	t.Logf("\n%s", s.seen.String()[max(0, s.seen.Len()-1500):])
	return s.seen.String()
}

// checkVerdict compares what the demo measured with what was planned. A timer may
// be an eighth late.
func checkVerdict(t testing.TB, shown string, planned time.Duration) {
	t.Helper()
	m := regexp.MustCompile(`\nThe second noticed after (\S+), read: connection timed out; planned: (\S+)\.\r?
The first is still connected\. While it sends nothing, it notices: never\.\r?
With keepalive on, this system's times would make that (\S+)\.\r?\n$`).FindStringSubmatch(shown)
	if m == nil {
		t.Fatalf("no verdict in %q", shown)
	}
	took, err := time.ParseDuration(m[1])
	if least, most := planned-500*time.Millisecond, time.Duration(1.127*float64(planned))+time.Second; err != nil || took < least || took > most || m[2] != short(planned) {
		t.Errorf("noticed after %s, planned %s, want %v to %v and %v", m[1], m[2], least, most, planned)
	}
	system, err := tcpopt.Defaults()
	system.KeepAlive = tcpopt.On
	if on, _ := system.DetectionTime(); err != nil || m[3] != short(on) {
		t.Errorf("this system's times make %s, want %v", m[3], on)
	}
}

// demoCommand is the demo as a user who is not root, or as this one.
func demoCommand(t testing.TB, unprivileged bool, args ...string) *exec.Cmd {
	t.Helper()
	args = append([]string{"demo"}, args...)
	if !unprivileged {
		return theCommand.Command(args...)
	}
	exe, by := ordinary(t)
	if by == nil {
		// What Enter gave to this process is lost in a namespace below.
		args = append([]string{"--user", "--map-current-user", exe}, args...)
		exe = "unshare"
	}
	cmd := exec.Command(exe, args...)
	cmd.SysProcAttr = by
	return cmd
}

// demoWithout is the demo where namespaces cannot be made, in one whose limit is
// zero; with the flag --net it has no loopback either.
func demoWithout(t testing.TB, flags ...string) *exec.Cmd {
	t.Helper()
	exe, by := ordinary(t)
	args := append([]string{"--user", "--map-root-user"}, flags...)
	cmd := exec.Command("unshare", append(args, "sh", "-c",
		`for i in user net; do echo 0 >/proc/sys/user/max_${i}_namespaces || exit; done; exec "$0" demo -within 3s`, exe)...)
	cmd.SysProcAttr = by
	return cmd
}

func TestDrawable(t *testing.T) {
	t.Setenv("TERM", "xterm")
	t.Setenv("COLUMNS", "")
	master, tty := openTerminal(t)
	defer master.Close()
	defer tty.Close()
	for _, tt := range []struct {
		name     string
		row, col uint16
		want     int
	}{
		{"unknown", 0, 0, 80},
		{"least", lines + 1, 60, 60},
		{"too narrow", 24, 59, 0},
		{"far too narrow", 24, 2, 0},
		{"too low", lines, 80, 0},
	} {
		labtest.Need(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: tt.row, Col: tt.col}))
		if got := terminalOf(tty).drawable(); got != tt.want {
			t.Errorf("%s: drawable is %d columns, want %d", tt.name, got, tt.want)
		}
	}
}

// needsLab skips where there is no lab, nor programs that can be started.
func needsLab(t testing.TB) {
	t.Helper()
	needsPrograms(t)
	labtest.NewCable(t, labtest.NewHost(t), labtest.NewHost(t))
}

func TestDemo(t *testing.T) {
	needsLab(t)
	t.Parallel()
	for _, tt := range []struct {
		name, within, terminal string
		unprivileged           bool
	}{
		{"pipe", "", "", false},
		{"pipe, unprivileged", "3s", "", true},
		{"terminal", "3s", "xterm", false},
		{"terminal, unprivileged", "", "xterm", true},
		{"terminal that cannot draw", "3s", "dumb", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			planned, probes := 6*time.Second, "1 2 3"
			var args []string
			if tt.within != "" {
				planned, probes = 3*time.Second, "1 2"
				args = []string{"-within", tt.within}
			}
			shown := stage(t, demoCommand(t, tt.unprivileged, args...), plainly, tt.terminal).wait(t)
			checkVerdict(t, shown, planned)
			if !strings.HasPrefix(shown, "Two hosts in a private network") {
				t.Errorf("shown\n%s", shown)
			}
			if tt.terminal == "xterm" {
				checkFrames(t, shown, probes)
			} else {
				checkLines(t, shown, "the cable is cut", probes)
			}
		})
	}
}

// checkLines checks the lines of a pipe.
func checkLines(t testing.TB, shown, event, probes string) {
	t.Helper()
	if strings.Contains(shown, "\x1b") {
		t.Errorf("control sequences in %q", shown)
	}
	pattern := `time +defaults +within .s\r?
 +-1s  connected +connected\r?
 +0s  ` + event + `\r?
`
	for _, n := range strings.Fields(probes) {
		pattern += ` +\S+s  connected +connected, ` + n + ` probes? unanswered\r?
`
	}
	pattern += ` +\S+  connected +noticed after \S+, read: connection timed out\r?
`
	if !regexp.MustCompile(pattern).MatchString(shown) {
		t.Errorf("shown\n%s\nwant\n%s", shown, pattern)
	}
}

// checkFrames checks that a terminal sees the timelines grow, each over the one
// before, and that nothing is left to be undone.
func checkFrames(t testing.TB, shown, probes string) {
	t.Helper()
	const up = "\r\x1b[6A"
	frames := strings.Split(shown, up)[1:]
	last := ""
	for i, frame := range frames {
		lines := strings.SplitAfterN(frame, "\x1b[K\r\n", 7)
		if len(lines) != 7 || lines[6] != "" && i < len(frames)-1 || lines[0] != "defaults\x1b[K\r\n" || !strings.HasPrefix(lines[3], "within ") {
			t.Fatalf("frame %d is %q", i, frame)
		}
		for _, line := range lines[:6] {
			if len(line) > 79+len("\x1b[K\r\n") {
				t.Errorf("a terminal would wrap %q", line)
			}
		}
		line := strings.TrimSuffix(lines[4], "\x1b[K\r\n")
		if len(line) < len(last) {
			t.Errorf("frame %d has %q after %q", i, line, last)
		}
		last = line
	}
	if len(frames) < 20 {
		t.Errorf("%d frames in 4 s or more", len(frames))
	}
	// The last answer may come while the cable is being cut.
	if pattern := "^  =+\\|=?\\.+" + strings.ReplaceAll(probes, " ", `\.+`) + `\.+X$`; !regexp.MustCompile(pattern).MatchString(last) {
		t.Errorf("the timeline is %q, want %s", last, pattern)
	}
	if rest := strings.NewReplacer(up, "", "\x1b[K", "").Replace(shown); strings.Contains(rest, "\x1b") {
		t.Errorf("control sequences in %q", rest)
	}
}

// TestDemoFallback has no namespaces.
func TestDemoFallback(t *testing.T) {
	needsLab(t)
	t.Parallel()
	for _, tt := range []struct {
		name    string
		command func(t *testing.T) *exec.Cmd
		reason  string
	}{
		{"limits", func(t *testing.T) *exec.Cmd { return demoWithout(t) }, "[Nn]o space left on device"},
		{"unshare that lacks an option", func(t *testing.T) *exec.Cmd {
			dir := labtest.OpenDir(t)
			labtest.Need(t, os.WriteFile(filepath.Join(dir, "unshare"),
				[]byte("#!/bin/sh\necho unshare: unrecognized option\necho\necho Usage: unshare\nexit 1\n"), 0o755))
			cmd := demoCommand(t, true, "-within", "3s")
			cmd.Env = append(os.Environ(), "PATH="+dir)
			return cmd
		}, "unshare: unrecognized option"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := labtest.NewHost(t)
			shown := stage(t, tt.command(t), h.Start, "").wait(t)
			if pattern := `^No private network here: netlab: user namespaces are not allowed: .*` + tt.reason + `\.
So here are two idle connections over loopback, whose peers will go deaf:
`; !regexp.MustCompile(pattern).MatchString(shown) {
				t.Errorf("shown\n%s\nwant\n%s", shown, pattern)
			}
			checkLines(t, shown, "the peers go deaf", "1 2")
			checkVerdict(t, shown, 3*time.Second)
			checkNoSockets(t, h.Do)
		})
	}
}

// checkNoSockets fails if a host has a TCP socket, which may be nobody's.
func checkNoSockets(t testing.TB, do func(func() error) error) {
	t.Helper()
	var table []byte
	labtest.Need(t, do(func() (err error) {
		table, err = os.ReadFile("/proc/thread-self/net/tcp")
		return err
	}))
	if n := bytes.Count(table, []byte("\n")); n != 1 {
		t.Errorf("%d sockets are left:\n%s", n-1, table)
	}
}

// TestDemoNowhere has neither namespaces nor a loopback.
func TestDemoNowhere(t *testing.T) {
	needsLab(t)
	t.Parallel()
	s := stage(t, demoWithout(t, "--net"), plainly, "")
	s.until(t, "")
	s.Wait()
	if status := s.ProcessState.ExitCode(); status != 1 || s.seen.Len() > 0 || strings.Count(s.stderr.String(), "\n") != 1 ||
		!regexp.MustCompile("^tcpopt demo: netlab: user namespaces are not allowed: .*; over loopback: .*unreachable\n$").MatchString(s.stderr.String()) {
		t.Errorf("status %d, stdout %q, stderr %q, want 1 and a line", status, &s.seen, &s.stderr)
	}
}

// TestDemoInterrupted ends the demo after the first probe, in a terminal by the
// key that does.
func TestDemoInterrupted(t *testing.T) {
	needsLab(t)
	t.Parallel()
	// What a shell runs in the background ignores SIGINT, as do its children.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT)
	t.Cleanup(func() { signal.Stop(signals) })
	for _, tt := range []struct {
		name, terminal string
		unprivileged   bool
		lab            bool
		signal         syscall.Signal
	}{
		{"pipe", "", false, true, syscall.SIGINT},
		{"pipe, unprivileged", "", true, true, syscall.SIGTERM},
		{"terminal", "xterm", false, true, syscall.SIGINT},
		{"terminal, unprivileged", "xterm", true, true, syscall.SIGINT},
		{"loopback", "", true, false, syscall.SIGINT},
		{"loopback, killed", "xterm", true, false, syscall.SIGKILL},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := labtest.NewHost(t)
			cmd := demoCommand(t, tt.unprivileged)
			if !tt.lab {
				cmd = demoWithout(t)
			}
			s := stage(t, cmd, h.Start, tt.terminal)
			s.until(t, "1 probe unanswered")
			var spaces map[string]string
			for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(10 * time.Millisecond) {
				spaces = namespaces(t, fmt.Sprintf("/proc/%d", s.Process.Pid))
				for ns := range namespaces(t, "/proc/self") {
					delete(spaces, ns)
				}
				if !tt.lab || len(spaces) >= 3 || time.Now().After(deadline) {
					break // What /proc lists changes while it is read.
				}
			}
			for _, file := range spaces { // Or another test's would soon have the number.
				f, err := os.Open(file)
				labtest.Need(t, err)
				defer f.Close()
			}
			if tt.lab && len(spaces) < 3 {
				t.Errorf("while it runs it has the namespaces %q", spaces)
			}
			start := time.Now()
			if tt.terminal != "" && tt.signal == syscall.SIGINT {
				_, err := s.out.Write([]byte{3}) // Ctrl-C
				labtest.Need(t, err)
			} else {
				labtest.Need(t, s.Process.Signal(tt.signal))
			}
			s.until(t, "")
			s.Wait()
			if status := s.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != tt.signal || s.stderr.Len() > 0 {
				t.Errorf("%v, stderr %q, want death by %v", s.ProcessState, &s.stderr, tt.signal)
			}
			if took := time.Since(start); took > 2*time.Second {
				t.Errorf("it took %v to end", took)
			}
			// Below the timelines, where the key is echoed.
			if shown := strings.TrimSuffix(s.seen.String(), "^C"); !strings.HasSuffix(shown, "\n") || strings.Contains(shown, "\x1b[?") {
				t.Errorf("the terminal is left after %q", shown)
			}
			if err := syscall.Kill(-s.Process.Pid, 0); err != syscall.ESRCH {
				t.Errorf("processes are left: %v", err)
			}
			// A program that another test is about to start has all that we have.
			left := holders(t, spaces)
			for end := time.Now().Add(2 * time.Second); len(left) > 0 && time.Now().Before(end); left = holders(t, spaces) {
				time.Sleep(10 * time.Millisecond)
			}
			if len(left) > 0 {
				t.Errorf("namespaces are left, by %q", left)
			}
			checkNoSockets(t, h.Do)
		})
	}
}

// holders are the files by which other processes have any of spaces.
func holders(t testing.TB, spaces map[string]string) (files []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*")
	labtest.Need(t, err)
	for _, dir := range all {
		if dir == fmt.Sprintf("/proc/%d", os.Getpid()) {
			continue
		}
		for ns, file := range namespaces(t, dir) {
			if spaces[ns] != "" {
				files = append(files, file)
			}
		}
	}
	return files
}

// namespaces are the network namespaces that the process dir of /proc has, each
// with a file by which it has it.
func namespaces(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, pattern := range []string{"/task/*/ns/net", "/fd/*"} {
		files, err := filepath.Glob(dir + pattern)
		labtest.Need(t, err)
		for _, file := range files {
			if link, err := os.Readlink(file); err == nil && strings.HasPrefix(link, "net:[") {
				all[link] = file
			}
		}
	}
	return all
}

// TestDemoUnnoticed has a cable that is not cut.
func TestDemoUnnoticed(t *testing.T) {
	t.Parallel()
	lab, err := newLab()
	labtest.Need(t, err)
	lab.cut = func([2]*net.TCPConn) error { return nil }
	config, err := tcpopt.Within(3 * time.Second)
	labtest.Need(t, err)
	var out bytes.Buffer
	start := time.Now()
	err = perform(lab, config, "3s", &out)
	if took := time.Since(start); err == nil || !strings.Contains(err.Error(), "within 3s has noticed nothing after ") || took > 15*time.Second {
		t.Errorf("%v after %v and\n%s", err, took, &out)
	}
}
