package deploy

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestMain(m *testing.M) { labtest.Main(m, 8) }

// build builds the command, in a folder that every user may enter.
func build(t testing.TB) (path string) {
	t.Helper()
	dir := labtest.OpenDir(t)
	path = filepath.Join(dir, "tcpopt")
	cmd := exec.Command("go", "build", "-o", path, "github.com/tcpopt/tcpopt/cmd/tcpopt")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	output(t, cmd)
	return path
}

// output runs a command, which must succeed and print no errors.
func output(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil || errs.Len() > 0 {
		t.Fatalf("%q: %v\n%s%s", cmd.Args, err, &out, &errs)
	}
	return out.String()
}

func read(t testing.TB, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t testing.TB, file, text string) string {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}
