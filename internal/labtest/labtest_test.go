package labtest_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m, 4) }

var parrot = labtest.NewProgram("parrot", func() int {
	fmt.Println(os.Args[1:])
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(lines.Text())
	}
	return 3
})

// needPrograms skips t if the test binary cannot run as another program.
func needPrograms(t *testing.T) {
	t.Helper()
	if err := exec.Command(parrot.Command().Path, "-test.run=^$").Run(); err != nil {
		t.Skipf("cannot start programs here: %v", err)
	}
}

func TestProgram(t *testing.T) {
	needPrograms(t)
	for name, env := range map[string]string{
		"as go test has it":           "_=",
		"without GOCOVERDIR":          "GOCOVERDIR=",
		"of a user who may not enter": "GOCOVERDIR=" + filepath.Join(os.DevNull, "none"),
	} {
		t.Run(name, func(t *testing.T) {
			var stderr strings.Builder
			cmd := parrot.Command("a", "b")
			cmd.Env = append(cmd.Env, env)
			cmd.Stderr = &stderr
			p := labtest.Start(t, cmd, (*exec.Cmd).Start)
			p.Ask(t, "hello")
			if args, line := p.Line(t), p.Line(t); args != "[a b]" || line != "hello" {
				t.Errorf("the program said %q and %q", args, line)
			}
			p.In.Close()
			io.Copy(io.Discard, p.Out)
			// It prints nothing about coverage or tests.
			if p.Wait(); p.ProcessState.ExitCode() != 3 || stderr.Len() > 0 {
				t.Errorf("the program ended with %v, stderr %q", p.ProcessState, &stderr)
			}
		})
	}
}

// TestProgramUnknown has an unknown name, which must not run all tests again.
func TestProgramUnknown(t *testing.T) {
	needPrograms(t)
	var stderr strings.Builder
	cmd := labtest.Program("nonsense").Command()
	cmd.Stderr = &stderr
	if err := cmd.Run(); err == nil || stderr.String() != "labtest: no program \"nonsense\"\n" {
		t.Errorf("Run() = %v, stderr %q", err, &stderr)
	}
}

func TestPair(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6"} {
		t.Run(network, func(t *testing.T) {
			if err := labtest.Missing(network); err != nil {
				t.Skip(err)
			}
			client, server := labtest.Pair(t, network, false)
			if client.LocalAddr().String() != server.RemoteAddr().String() {
				t.Errorf("%v is connected to %v", client.LocalAddr(), server.RemoteAddr())
			}
			c, s := labtest.Secure(t, client, server)
			go c.Write([]byte("x"))
			if n, err := s.Read(make([]byte, 2)); n != 1 || err != nil {
				t.Errorf("Read() = %d, %v", n, err)
			}
		})
	}
}
