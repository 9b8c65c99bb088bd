package tcpopt_test

import (
	"context"
	_ "embed"
	"errors"
	"log"
	"net"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/tcpopttest"
)

//go:embed README.md
var readme string

//go:embed readme_test.go
var snippets string

// TestReadme holds each Go snippet of README.md to a function below, which runs.
func TestReadme(t *testing.T) {
	flat := func(s string) string {
		lines := strings.Split(strings.TrimSpace(strings.ReplaceAll(s, "\r", "")), "\n")
		for i := range lines {
			lines[i] = strings.TrimSpace(lines[i])
		}
		return strings.Join(lines, "\n")
	}
	here := flat(snippets)
	found := 0
	for _, block := range strings.Split(readme, "```go")[1:] {
		block, _, ok := strings.Cut(block, "```")
		if block = flat(block); !ok || !strings.Contains(here, "\n"+block+"\n") {
			t.Errorf("no function here has\n%s", block)
		}
		found++
	}
	if found == 0 {
		t.Error("README.md has no snippets")
	}

	c, err := readmeDial(t)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		t.Logf("this system has not all of it: %v", err)
		return
	case err != nil:
		t.Fatal(err)
	}
	accepted := acceptFrom(t, readmeServer(listen(t, "tcp4", false), c))
	if err := readmeSet(accepted, c); err != nil {
		t.Error(err)
	}
	s, err := tcpopt.FromConn(accepted)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{readmeNumbers(s), readmeSwitch(s), readmeListen(c)} {
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Error(err)
		}
	}
}

// TestReadmeDeadPeer is the test that README.md has.
func TestReadmeDeadPeer(t *testing.T) {
	t.Parallel()
	c, err := tcpopt.Within(3 * time.Second)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		t.Skip("no times on this OS")
	case err != nil:
		t.Fatal(err)
	}
	client, peer := connect(t, "tcp4", false)
	if err := fromConn(t, client).SetConfig(c); err != nil {
		t.Fatal(err)
	}
	readmeDeadPeer(t, client, peer)
}

// TestLinks follows the links of the documentation to files.
func TestLinks(t *testing.T) {
	pages, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("*/*.md")
	if err != nil {
		t.Fatal(err)
	}
	link := regexp.MustCompile(`\]\(([^)]*)\)|(?:src|srcset|href)="([^"]*)"`)
	followed := 0
	for _, page := range append(pages, more...) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			to, _, _ := strings.Cut(m[1]+m[2], "#")
			if to == "" || strings.Contains(to, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), to)); err != nil {
				t.Errorf("%s: %v", page, err)
			}
			followed++
		}
	}
	if followed == 0 {
		t.Error("no links")
	}
}

// TestContributing finds a file or a folder that CONTRIBUTING.md does not name, and a
// Go file that it names and that is not there.
func TestContributing(t *testing.T) {
	text, err := os.ReadFile("CONTRIBUTING.md")
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, m := range regexp.MustCompile("`([^` ]+)`").FindAllStringSubmatch(string(text), -1) {
		names[m[1]] = true
	}
	system := regexp.MustCompile(`_[a-z]+\.go$`)
	for _, pattern := range []string{"*", "cmd/*", "cmd/tcpopt/*.go", "internal/*", "internal/census/*.go", ".ci/*"} {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil || len(files) == 0 {
			t.Errorf("%s: %v, %v", pattern, files, err)
		}
		for _, file := range files {
			name, isGo := filepath.ToSlash(file), strings.HasSuffix(file, ".go")
			if isGo {
				name = path.Base(name)
			}
			info, err := os.Stat(file)
			switch {
			case err != nil:
				t.Error(err)
			case strings.HasSuffix(name, "_test.go") || name == "cmd" || name == "internal":
			case pattern == "*" && !isGo && (!info.IsDir() || name[0] == '.'): // LICENSE, an editor's.
			case !names[name] && !names[system.ReplaceAllString(name, "_<os>.go")]:
				t.Errorf("%s is not named", file)
			}
		}
	}
	for name := range names {
		if !strings.HasSuffix(name, ".go") || strings.HasPrefix(name, "interop/") {
			continue // A module of its own is not everywhere.
		}
		found := false
		for _, dir := range []string{".", "cmd/tcpopt", "internal/census"} {
			files, err := filepath.Glob(filepath.Join(dir, strings.ReplaceAll(name, "<os>", "*")))
			found = found || err == nil && len(files) > 0
		}
		if !found {
			t.Errorf("%s is named and not there", name)
		}
	}
}

func readmeDial(t *testing.T) (tcpopt.Config, error) {
	c, err := tcpopt.Within(30 * time.Second) // noticed within 30 s, idle or busy
	d := net.Dialer{KeepAlive: -1, Control: c.DialControl}
	if err != nil {
		return c, err
	}
	conn, err := d.Dial("tcp", listen(t, "tcp4", false).Addr().String())
	if err == nil {
		conn.Close()
	}
	return c, err
}

func readmeServer(l net.Listener, c tcpopt.Config) net.Listener {
	l = tcpopt.NewListener(l, c, nil) // below TLS
	return l
}

func readmeSet(conn net.Conn, c tcpopt.Config) error {
	s, err := tcpopt.FromConn(conn) // *net.TCPConn, *tls.Conn, ...
	if err != nil {
		return err
	}
	set, err := s.SetSupported(c) // as much of c as there is here
	if err != nil {
		return err
	}
	if set != c {
		log.Printf("of %+v only %+v is set", c, set)
	}
	inEffect, err := s.Config() // what the kernel has, read back
	idle, busy := inEffect.DetectionTime()
	if idle == 0 || busy == 0 {
		return errors.New("no detection time")
	}
	return err
}

func readmeNumbers(s tcpopt.Socket) error {
	err := s.SetConfig(tcpopt.Config{
		KeepAlive: tcpopt.On,
		Idle:      30 * time.Second,
		Interval:  10 * time.Second,
		Count:     2,
	})
	return err
}

func readmeSwitch(s tcpopt.Socket) error {
	err := s.SetKeepAlive(true)
	return err
}

func readmeDeadPeer(t *testing.T, conn, peer net.Conn) {
	tcpopttest.Silence(t, peer) // the far end of conn, a net.Conn in this process
	conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	_, err := conn.Read(make([]byte, 1))
	if !tcpopt.IsDeadPeer(err) {
		t.Errorf("Read: %v, want the verdict on a dead peer", err)
	}
}

func readmeListen(c tcpopt.Config) error {
	lc := net.ListenConfig{KeepAlive: -1, Control: c.ListenControl}
	l, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err == nil {
		l.Close()
	}
	return err
}
