package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// inTerminal runs the command in a terminal of so many columns and returns what it
// shows.
func inTerminal(t testing.TB, columns int, env []string, args ...string) string {
	t.Helper()
	master, tty := openTerminal(t)
	defer master.Close()
	labtest.Need(t, unix.IoctlSetWinsize(int(tty.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: uint16(columns)}))
	cmd := theCommand.Command(args...)
	cmd.Env = append(cmd.Environ(), theCommand.Env(), "COLUMNS=", "NO_COLOR=", "TERM=xterm")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = tty, tty
	err := cmd.Start()
	tty.Close()
	labtest.Need(t, err)
	shown, err := io.ReadAll(master)
	if err != nil && !errors.Is(err, syscall.EIO) { // EIO is the end of a terminal.
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%q: %v\n%s", args, err, shown)
	}
	return strings.ReplaceAll(string(shown), "\r\n", "\n")
}

// withoutColors removes what a terminal does not show.
func withoutColors(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, text, _ = strings.Cut(after, "m")
	}
}

// TestLsTerminal has no line that is wider than the terminal, of programs whose
// names are hard to measure and whose addresses are long.
func TestLsTerminal(t *testing.T) {
	needsTaking(t)
	t.Parallel()
	h := labtest.NewHost(t)
	ip := findProgram(t, "ip")
	const device, linkLocal, global = "enp0s31f6np0s31", "fe80::1234:5678:9abc:def0", "2001:db8:1234:5678:9abc:def0:1111:2222"
	for _, args := range []string{
		"link add " + device + " type veth peer name other",
		"link set other up",
		"link set " + device + " up",
		"addr add " + linkLocal + "/64 dev " + device + " nodad",
		"addr add " + global + "/128 dev lo nodad",
	} {
		cmd := exec.Command(ip, strings.Fields(args)...)
		labtest.Need(t, h.Start(cmd))
		labtest.Need(t, cmd.Wait())
	}
	var all []string
	for name, address := range map[string]string{
		"\u65e5\u672c\u65e5\u672c\u65e5": linkLocal + "%" + device,
		strings.Repeat("e\u0301", 5):     global,
		"fifteen-letters":                h.IPv4.String(),
	} {
		path := renamed(t, name)
		r, _ := hold(t, func(cmd *exec.Cmd) error { cmd.Path = path; return h.Start(cmd) }, "-ip", address, "-n", "2", "-special", "1")
		if comm := commandOf(t, r.PID()); comm != name {
			t.Fatalf("a program is named %q, want %q", comm, name)
		}
		all = append(all, "-pid", r.PID())
	}
	for _, columns := range []int{80, 200} {
		for _, tt := range []struct {
			args  []string
			lines int // at least
		}{
			{append([]string{"ls"}, all...), 12},
			{append([]string{"ls", "-listen"}, all...), 15},
			{append([]string{"ls", "-by", "command"}, all...), 3},
			{append([]string{"ls", "-by", "remote"}, all...), 3},
			{append([]string{"ls", "-by", "cmdline"}, all...), 3},
			{append([]string{"ls", "-by", "unit"}, all...), 3},
			{append([]string{"set", "-all", "-within", "30s", "-dry-run"}, all...), 12},
			{append([]string{"set", "-all", "-idle", "40s", "-yes"}, all...), 12},
			{[]string{"plan", "30s"}, 12},
			{[]string{"plan", "9h6m7s"}, 12},
			{[]string{"defaults"}, 12},
			{append([]string{"defaults"}, all[:2]...), 12},
		} {
			shown := inTerminal(t, columns, nil, tt.args...)
			if n := strings.Count(shown, "\n"); n < tt.lines {
				t.Errorf("%q: %d lines, want %d\n%s", tt.args, n, tt.lines, shown)
			}
			for _, line := range strings.Split(withoutColors(shown), "\n") {
				if n := columnsOf(line); n > columns {
					t.Errorf("%q: %d columns in\n%s\nwant %d", tt.args, n, line, columns)
				}
			}
		}
	}

	// What is pasted is not folded. It fits but for the conninfo, which is one line.
	for _, line := range strings.Split(inTerminal(t, 80, nil, "plan", "all", "-within", "30s"), "\n") {
		if columnsOf(line) > 80 && !strings.HasPrefix(line, "keepalives=1 ") {
			t.Errorf("plan all: %d columns in\n%s", columnsOf(line), line)
		}
	}

	ls := append([]string{"ls"}, all...)
	if shown, whole := inTerminal(t, 200, nil, ls...), "  ["+linkLocal+"%"+device+"]:"; strings.Count(shown, whole) != 8 {
		t.Errorf("200 columns: want both ends of four connections by %s in\n%s", whole, shown)
	}
	shown := inTerminal(t, 80, nil, ls...)
	if !strings.Contains(shown, "\x1b[31mnever\x1b[0m") {
		t.Errorf("no color in\n%s", shown)
	}
	// Without colors it is the same text; what is no terminal has all columns.
	for _, env := range []string{"NO_COLOR=1", "TERM=dumb", "TERM="} {
		if got := inTerminal(t, 80, []string{env}, ls...); got != withoutColors(shown) {
			t.Errorf("%s: shown\n%s\nwant\n%s", env, got, withoutColors(shown))
		}
	}
	if got := withoutColors(inTerminal(t, 200, []string{"COLUMNS=80"}, ls...)); got != withoutColors(shown) {
		t.Errorf("COLUMNS=80: shown\n%s", got)
	}
	piped := func(args ...string) string {
		cmd := theCommand.Command(args...)
		cmd.Env = append(cmd.Environ(), theCommand.Env(), "COLUMNS=80", "TERM=xterm")
		var b bytes.Buffer
		cmd.Stdout, cmd.Stderr = &b, os.Stderr
		labtest.Need(t, cmd.Run())
		return b.String()
	}
	heads, _, _ := strings.Cut(piped(ls...), "\n")
	if want := "PID COMMAND FD LOCAL REMOTE STATE KEEPALIVE IDLE INTERVAL COUNT USER-TIMEOUT NOTICED-IDLE NOTICED-BUSY PROBES SILENCE PENDING SIGN"; !strings.HasPrefix(strings.Join(strings.Fields(heads), " "), want) {
		t.Errorf("a pipe has %s, want %s", heads, want)
	}
	if got, _, _ := strings.Cut(inTerminal(t, 80, nil, append(ls, "-wide")...), "\n"); got != heads {
		t.Errorf("-wide has %s, want %s", got, heads)
	}
	if got := piped(append(ls, "-wide=false")...); got != withoutColors(shown) {
		t.Errorf("-wide=false in a pipe has\n%s\nwant\n%s", got, withoutColors(shown))
	}
	if status, _, stderr := command("ls", "-pid", strconv.Itoa(os.Getpid()), "-json", "-wide"); status != 2 || stderr != "tcpopt ls: -json and -wide exclude each other\n" {
		t.Errorf("-json -wide: status %d, stderr %q", status, stderr)
	}
}
