// Package e2e runs an example on a host of the lab, as a separate program, and reads
// what it prints.
//
//	func TestMain(m *testing.M) { e2e.Main(m, main) }
//
//	func TestCut(t *testing.T) {
//		l := labtest.NewLab(t)
//		server := e2e.Start(t, l.Far, "-serve")
//		client := e2e.Start(t, l.Near, "-within", "3s", l.Far.IPv4.String())
//		client.Wait(t, 10*time.Second, "connected")
//		cut := time.Now()
//		l.Cable.Cut()
//		_, at := client.Wait(t, 10*time.Second, "connection timed out")
//		e2e.Figure(t, "what the row of README.md is about", at.Sub(cut))
//		...
package e2e

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

const program labtest.Program = "example"

// Main runs the tests of an example. The function example is its main. The tests mostly
// wait for timers, so many run in parallel.
func Main(m *testing.M, example func()) {
	labtest.NewProgram(string(program), func() int { example(); return 0 })
	labtest.Main(m, 32)
}

// A Program is a running example.
type Program struct {
	*labtest.Process
	lines chan line
}

type line struct {
	text string
	at   time.Time
}

// Start starts the example on h with these arguments. It ends with the test.
func Start(t testing.TB, h *netlab.Host, args ...string) *Program {
	t.Helper()
	stderr, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := program.Command(args...)
	cmd.Stderr = w
	p := &Program{lines: make(chan line, 1<<16)}
	start, ended := time.Now(), make(chan struct{})
	var (
		readers sync.WaitGroup
		mu      sync.Mutex
		said    []string
	)
	t.Cleanup(func() {
		close(ended)
		stderr.Close()
		readers.Wait()
		if t.Failed() {
			t.Logf("%v printed\n%s", args, strings.Join(said, "\n"))
		}
	})
	p.Process = labtest.Start(t, cmd, h.Start)
	w.Close()
	// Unlike labtest's programs, an example does not end with its input.
	t.Cleanup(func() { p.Process.Process.Kill() })
	read := func(r io.Reader) {
		for s := bufio.NewScanner(r); s.Scan(); {
			now := time.Now()
			mu.Lock()
			said = append(said, fmt.Sprintf("%7.3f s: %s", now.Sub(start).Seconds(), s.Text()))
			mu.Unlock()
			select {
			case p.lines <- line{s.Text(), now}:
			case <-ended:
			}
		}
	}
	readers.Go(func() { read(stderr) })
	readers.Go(func() { read(p.Out) })
	go func() {
		readers.Wait()
		close(p.lines)
	}()
	return p
}

// Wait returns the next line that contains text, and when it came.
func (p *Program) Wait(t testing.TB, atMost time.Duration, text string) (string, time.Time) {
	t.Helper()
	for timer := time.After(atMost); ; {
		select {
		case l, ok := <-p.lines:
			if !ok {
				t.Fatalf("the program ended without %q", text)
			}
			if strings.Contains(l.text, text) {
				return l.text, l.at
			}
		case <-timer:
			t.Fatalf("no %q within %v", text, atMost)
		}
	}
}

// Silent waits for d. It fails the test if the program ends meanwhile, or prints a line
// that contains text.
func (p *Program) Silent(t testing.TB, d time.Duration, text string) {
	t.Helper()
	for timer := time.After(d); ; {
		select {
		case l, ok := <-p.lines:
			if !ok || strings.Contains(l.text, text) {
				t.Fatalf("the program printed %q or ended, want no %q for %v", l.text, text, d)
			}
		case <-timer:
			return
		}
	}
}

// Dial returns a function that dials from h.
func Dial(h *netlab.Host, d *net.Dialer) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (c net.Conn, err error) {
		err = h.Do(func() (err error) {
			c, err = d.DialContext(ctx, network, address)
			return err
		})
		return c, err
	}
}

// Figure prints the time measured for a row of README.md. It fails the test if there is
// no such row.
func Figure(t testing.TB, row string, took time.Duration) {
	t.Helper()
	t.Logf("figure: %s: %.1f s", row, took.Seconds())
	for dir := "."; ; dir = filepath.Join("..", dir) {
		b, err := os.ReadFile(filepath.Join(dir, "README.md"))
		if errors.Is(err, fs.ErrNotExist) && len(dir) < 10 {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), "\n| "+row+" |") {
			t.Errorf("no row %q in README.md", row)
		}
		return
	}
}
