package main

import (
	"io"
	"maps"
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
		for _, words := range [][]string{{v.name, "-"}, {v.name, "x", "-"}} {
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
		{"tcpopt nonsense -", ""},
		{"tcpopt help -", ""},
		{"tcpopt defaults -", "-json\n-pid"},
		{"tcpopt set -o", "-off\n-on"},
		{"tcpopt ls -by ", strings.Join(kindWords(), "\n")},
		{"tcpopt ls -by r", "remote"},
		{"tcpopt plan 30s s", "ssh\nsshd\nsysctl\nsystemd"},
		{"tcpopt plan 30s nginx a", "all"},
		{"tcpopt completion ", "bash\nzsh\nfish"},
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

// A typist is at a terminal, whose screen it reads.
type typist struct {
	*os.File
	shell string
}

// atTerminal starts an interactive shell in dir, where tcpopt is the command.
func atTerminal(t *testing.T, dir string, cmd *exec.Cmd) typist {
	t.Helper()
	f, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	var n uint32
	rc, err := f.SyscallConn()
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
	cmd.Dir, cmd.Env = dir, append(completing(dir), "TERM=dumb", "INPUTRC=/dev/null")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	start(t, cmd, func(cmd *exec.Cmd) error {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = end, end, end
		defer end.Close()
		return cmd.Start()
	})
	f.SetDeadline(time.Now().Add(30 * time.Second))
	t.Cleanup(func() { io.WriteString(f, "\x15exit\n") })
	return typist{f, cmd.Path}
}

// types types keys and waits until the terminal shows want.
func (at typist) types(t *testing.T, keys, want string) {
	t.Helper()
	if _, err := io.WriteString(at, keys); err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, 4096)
	for seen := ""; !strings.Contains(seen, want); {
		n, err := at.Read(buf)
		if err != nil {
			t.Fatalf("%s: after %q, the terminal shows %q, then: %v, want %q", at.shell, keys, seen, err, want)
		}
		seen += string(buf[:n])
	}
}

func TestCompletionInteractive(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	write(t, filepath.Join(dir, "one file.prom"), "")
	at := atTerminal(t, dir, exec.Command("bash", "--norc", "--noprofile", "-i"))
	at.types(t, "source <(tcpopt completion); complete -p tcpopt\n", "complete -F _tcpopt tcpopt\r\n")
	at.types(t, "tcpopt def\t-js\t", "tcpopt defaults -json ")
	at.types(t, "\x15./tcpopt ls -stat\tlis\t", "./tcpopt ls -state listen ")
	at.types(t, "\x15~/tcpopt metr\t-o one\t", `~/tcpopt metrics -o one\ file.prom `)
	at.types(t, "\x15tcpopt plan 30s ngi\t", "tcpopt plan 30s nginx ")
	at.types(t, "\x15tcpopt ls -by \t\t", "cmdline  command  netns    remote   unit     user")
}

// TestCompletionZsh executes what it has completed, which there is a function that
// prints its arguments: zsh draws only what differs.
func TestCompletionZsh(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	write(t, filepath.Join(dir, "one file.prom"), "")
	path := renamed(t, "$(touch oops)")
	r, _ := hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return cmd.Start() })
	at := atTerminal(t, dir, exec.Command(findProgram(t, "zsh"), "-f", "-i"))
	at.types(t, "autoload -Uz compinit && compinit -u -D && source <(tcpopt completion zsh) && tcpopt() { print -r -- \"got:$*:\" }; print rea''dy\n", "ready\r\n")
	for _, tt := range []struct{ keys, want string }{
		{"tcpopt def\t-js\t", "defaults -json"},
		{"tcpopt ls -stat\tlis\t", "ls -state listen"},
		{"tcpopt ls -by r\t", "ls -by remote"},
		{"tcpopt ls -pid 1 -suspect -pid " + r.PID() + "\t", "ls -pid 1 -suspect -pid " + r.PID()},
		{"tcpopt ls -name \\$\t", "ls -name $(touch oops)"},
		{"tcpopt set -force win\t", "set -force window"},
		{"tcpopt metr\t-o one\t", "metrics -o one file.prom"},
		{"tcpopt plan 30s ngi\tpgb\t-js\t", "plan 30s nginx pgbouncer -json"},
		{"tcpopt comp\tfi\t", "completion fish"},
		{"tcpopt demo -x\t", "demo -x"},
	} {
		// The blank that a completion adds belongs to no argument.
		at.types(t, tt.keys+"\n", "got:"+tt.want+":")
	}
	if _, err := os.Stat(filepath.Join(dir, "oops")); err == nil {
		t.Error("the name was executed")
	}
}

func TestCompletionFish(t *testing.T) {
	t.Parallel()
	dir := installed(t)
	write(t, filepath.Join(dir, "one file.prom"), "")
	path := renamed(t, "$(touch oops)")
	r, _ := hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return cmd.Start() })
	want := map[string]string{
		"tcpopt ls -by ":               "cmdline command netns remote unit user",
		"tcpopt ls -by r":              "remote",
		"tcpopt ls -state syn":         "syn-recv syn-sent",
		"tcpopt ls -slower ":           "",
		"tcpopt set -force ":           "cgroup silent unacked window",
		"tcpopt metrics -o one":        "one file.prom",
		"tcpopt plan 30s ngi":          "nginx",
		"tcpopt completion ":           "bash fish zsh",
		"tcpopt def":                   "defaults",
		"tcpopt ls -name '$(to":        "$(touch oops)",
		"tcpopt ls -pid " + r.PID():    r.PID(),
		"tcpopt ls -name nobodyhas":    "",
		"tcpopt set -name ls -dry":     "-dry-run",
		"tcpopt nonsense -":            "",
		"tcpopt ls -without-keepalive": "-without-keepalive",
	}
	var names []string
	for _, v := range verbs() {
		names = append(names, v.name)
		var flags []string
		for _, f := range v.flags() {
			flags = append(flags, "-"+f.Name)
		}
		want["tcpopt "+v.name+" -"] = strings.Join(flags, " ")
	}
	slices.Sort(names)
	want["tcpopt "] = strings.Join(names, " ")
	lines := slices.Collect(maps.Keys(want))
	// complete -C prints what is offered for a line and, behind a tab, what it is.
	cmd := exec.Command(findProgram(t, "fish"), append([]string{"--no-config", "-c",
		`source (./tcpopt completion fish | psub); for line in $argv; complete -C $line | string replace -r '\t.*' ''; echo .; end`}, lines...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, completing(dir), os.Stderr
	out, err := io.ReadAll(start(t, cmd, plainly).Out)
	if err != nil {
		t.Fatal(err)
	}
	offered := strings.Split(string(out), ".\n")
	if len(offered) != len(lines)+1 {
		t.Fatalf("fish says %q", out)
	}
	for i, line := range lines {
		got := strings.Split(strings.TrimSpace(offered[i]), "\n")
		slices.Sort(got)
		if strings.Join(got, " ") != want[line] {
			t.Errorf("%q: %q, want %q", line, got, want[line])
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "oops")); err == nil {
		t.Error("the name was executed")
	}
}
