package labtest

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/netlab"
)

// variable names the program that the test binary runs as, if any.
const variable = "TCPOPT_TEST_PROGRAM"

// spare names a directory for a program's coverage. Without one, a program complains on
// its standard error. The directory of go test, whose counts are reported, is closed to
// other users.
const spare = "TCPOPT_TEST_GOCOVERDIR"

// Main runs the tests of a package that need hosts or other programs. It runs this many
// in parallel, since they wait for timers and not for processors. The flag
// -test.parallel overrides it.
func Main(m *testing.M, parallel int) {
	if name, is := os.LookupEnv(variable); is {
		if _, err := os.Stat(os.Getenv("GOCOVERDIR")); err != nil {
			os.Setenv("GOCOVERDIR", os.Getenv(spare))
		}
		program := programs[name]
		if program == nil {
			fmt.Fprintf(os.Stderr, "labtest: no program %q\n", name)
			os.Exit(2)
		}
		os.Exit(program())
	}
	netlab.Enter() // If it fails, NewHost says why.
	flag.Set("test.parallel", strconv.Itoa(parallel))
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if testing.CoverMode() != "" {
		dir, err := os.MkdirTemp("", "labtest-")
		if err == nil {
			defer os.RemoveAll(dir)
			err = errors.Join(os.Chmod(dir, 0o777), os.Setenv(spare, dir))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return m.Run()
}

var programs = map[string]func() int{}

// A Program is what the test binary does instead of running tests.
type Program string

// NewProgram returns a program whose exit status is what main returns. Call it in the
// declaration of a package variable: [Main] must know all programs.
func NewProgram(name string, main func() int) Program {
	if programs[name] != nil {
		panic("labtest: two programs " + name)
	}
	programs[name] = main
	return Program(name)
}

// Command returns the program as a command, with our standard error.
func (p Program) Command(args ...string) *exec.Cmd {
	path, err := executable()
	cmd := exec.Command(path, args...)
	if err != nil {
		cmd.Err = err
	}
	// Otherwise the race detector waits a second at the end for other threads' reports.
	cmd.Env = append(os.Environ(), p.Env(), "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

// Env is the environment variable with which the test binary runs as the program, for
// commands that start it indirectly.
func (p Program) Env() string { return variable + "=" + string(p) }

// A Process is a program that a test talks to in lines.
type Process struct {
	*exec.Cmd
	In  io.WriteCloser
	Out *bufio.Reader
}

// Start starts cmd with start, which is [exec.Cmd.Start] or the Start of a host. When t
// ends, the input of the process ends, and 5 s later it is killed.
func Start(t testing.TB, cmd *exec.Cmd, start func(*exec.Cmd) error) *Process {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	Need(t, start(cmd))
	t.Cleanup(func() {
		in.Close()
		kill := time.AfterFunc(5*time.Second, func() { cmd.Process.Kill() })
		defer kill.Stop()
		cmd.Wait()
	})
	return &Process{cmd, in, bufio.NewReader(out)}
}

// PID returns the number of the process, as an argument.
func (p *Process) PID() string { return strconv.Itoa(p.Process.Pid) }

// Line returns the next line that the process prints.
func (p *Process) Line(t testing.TB) string {
	t.Helper()
	line, err := p.Out.ReadString('\n')
	if err != nil {
		t.Fatalf("the program printed %q, then: %v", line, err)
	}
	return strings.TrimSuffix(line, "\n")
}

// Ask sends the process a line.
func (p *Process) Ask(t testing.TB, line string) {
	t.Helper()
	if _, err := io.WriteString(p.In, line+"\n"); err != nil {
		t.Fatal(err)
	}
}
