package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/census"
)

// installed is a directory with the command, which must start.
func installed(t testing.TB) string {
	t.Helper()
	findProgram(t, "bash")
	path := renamed(t, "tcpopt")
	cmd := exec.Command(path, "help")
	cmd.Env = completing(filepath.Dir(path))
	io.Copy(io.Discard, start(t, cmd, plainly).Out)
	return filepath.Dir(path)
}

// completing is the environment of a shell for which dir has the command, which
// with the race detector would otherwise take a second to exit.
func completing(dir string) []string {
	return append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "HOME="+dir, theCommand.Env(), "GORACE=atexit_sleep_ms=0")
}

// completions are what bash has for the last of words, in dir, where tcpopt is
// the command. A line of them may be a call of compopt.
func completions(t testing.TB, dir string, words ...string) []string {
	t.Helper()
	cmd := exec.Command("bash", append([]string{"--norc", "--noprofile", "-uc", `
source <(./tcpopt completion)
compopt() { echo "compopt $*"; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_tcpopt
((${#COMPREPLY[@]} == 0)) || printf '%s\n' "${COMPREPLY[@]}"`, "bash"}, words...)...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = completing(dir)
	out, err := io.ReadAll(start(t, cmd, plainly).Out)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
		_, help, _ := command(v.name, "-h")
		want := []string{""} // One empty line: nothing.
		if flags := regexp.MustCompile(`(?m)^  -\S+`).FindAllString(help, -1); flags != nil {
			want = strings.Fields(strings.Join(flags, " "))
		}
		for _, words := range [][]string{{v.name, ""}, {v.name, "-"}, {v.name, "x", "-"}} {
			if got := completions(t, dir, append([]string{"tcpopt"}, words...)...); !slices.Equal(got, want) {
				t.Errorf("after %q: %q, want %q", words, got, want)
			}
		}
	}
	for _, tt := range []struct{ words, want string }{
		{"tcpopt ", strings.Join(names, "\n")},
		{"tcpopt def", "defaults"},
		{"tcpopt no", ""},
		{"tcpopt -", ""},
		{"./tcpopt me", "metrics"},
		{"~/tcpopt me", "metrics"},
		{dir + "/tcpopt me", "metrics"},
		{"./none ", ""},
		{"tcpopt nonsense -", ""},
		{"tcpopt help -", ""},
		{"tcpopt defaults -", "-json"},
		{"tcpopt set -o", "-off\n-on"},
		{"tcpopt ls -by ", "command\nremote"},
		{"tcpopt ls -by r", "remote"},
		{"tcpopt ls -state ", strings.Join(census.States(), "\n")},
		{"tcpopt ls -state syn", "syn-sent\nsyn-recv"},
		{"tcpopt ls -slower ", ""},
		{"tcpopt ls -suspect -", strings.Join(completions(t, dir, "tcpopt", "ls", "-"), "\n")},
		{"tcpopt set -count ", ""},
		{"tcpopt set -force ", "silent\nunacked\nwindow\ncgroup"},
		{"tcpopt metrics -o ", "compopt -o default"},
		{"tcpopt ls -name nobodyhasthis", ""},
	} {
		if got := strings.Join(completions(t, dir, strings.Split(tt.words, " ")...), "\n"); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.words, got, tt.want)
		}
	}
}

// TestCompletionProcesses has a process whose name is a command of the shell.
func TestCompletionProcesses(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	path := renamed(t, "$(touch oops)")
	r, _ := hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return cmd.Start() })
	for _, verb := range []string{"ls", "set"} {
		for _, typed := range []string{"", r.PID()[:1], r.PID()} {
			if got := completions(t, dir, "tcpopt", verb, "-pid", typed); !slices.Contains(got, r.PID()) {
				t.Errorf("%s -pid %s: %q, want %s", verb, typed, got, r.PID())
			}
		}
		for _, typed := range []string{"", `\$`, `\$\(touch\ `} {
			if got := completions(t, dir, "tcpopt", verb, "-name", typed); !slices.Contains(got, `\$\(touch\ oops\)`) {
				t.Errorf("%s -name %s: %q", verb, typed, got)
			}
		}
	}
	// A name that a terminal would show from right to left, as it is offered.
	path = renamed(t, "a\u202eb")
	hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return cmd.Start() })
	got := completions(t, dir, "tcpopt", "ls", "-name", "")
	if !slices.Contains(got, `$'a\342\200\256b'`) {
		t.Errorf("ls -name: %q", got)
	}
	for _, word := range got {
		if printable(word) != word {
			t.Errorf("ls -name: %+q", word)
		}
	}
	// Of the kernel's threads, nothing may be seen.
	if _, err := os.Stat("/proc/2/exe"); err != nil {
		if got := completions(t, dir, "tcpopt", "ls", "-pid", "2"); slices.Contains(got, "2") {
			t.Errorf("-pid 2: %q", got)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "oops")); err == nil {
		t.Error("the name was executed")
	}
}

// TestCompletionInteractive types at a terminal.
func TestCompletionInteractive(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer terminal.Close()
	var n uint32
	rc, err := terminal.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	rc.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetUint32(int(fd), unix.TIOCGPTN)
		}
	})
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	end, err := os.OpenFile("/dev/pts/"+strconv.Itoa(int(n)), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "one file.prom"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "--norc", "--noprofile", "-i")
	cmd.Dir = dir
	cmd.Env = append(completing(dir), "TERM=dumb", "INPUTRC=/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	start(t, cmd, func(cmd *exec.Cmd) error {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
		defer end.Close()
		return cmd.Start()
	})
	terminal.SetDeadline(time.Now().Add(20 * time.Second))
	seen, buf := "", make([]byte, 4096)
	for _, tt := range []struct{ keys, want string }{
		{"source <(tcpopt completion); complete -p tcpopt\n", "complete -F _tcpopt tcpopt\r\n"},
		{"tcpopt def\t-js\t", "tcpopt defaults -json "},
		{"\x15./tcpopt ls -stat\tlis\t", "./tcpopt ls -state listen "},
		{"\x15~/tcpopt metr\t-o one\t", `~/tcpopt metrics -o one\ file.prom `},
		{"\x15tcpopt ls -by \t\t", "command  remote"},
	} {
		if _, err := io.WriteString(terminal, tt.keys); err != nil {
			t.Fatal(err)
		}
		for seen = ""; !strings.Contains(seen, tt.want); {
			n, err := terminal.Read(buf)
			if err != nil {
				t.Fatalf("after %q, the terminal shows %q, then: %v, want %q", tt.keys, seen, err, tt.want)
			}
			seen += string(buf[:n])
		}
	}
	io.WriteString(terminal, "\x15exit\n")
}
