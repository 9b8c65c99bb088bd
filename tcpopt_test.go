package tcpopt_test

import (
	"errors"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// Tests that wait for a kernel's timers do nothing else.
func TestMain(m *testing.M) { labtest.Main(m, 64) }

// A times is an option that is a time.
type times struct {
	name  string
	row   tcpopt.Row
	get   func(tcpopt.Socket) (time.Duration, error)
	set   func(tcpopt.Socket, time.Duration) error
	field func(*tcpopt.Config) *time.Duration
}

var allTimes = []times{
	{"idle", tcpopt.KeepIdleRow, tcpopt.Socket.KeepAliveIdle, tcpopt.Socket.SetKeepAliveIdle,
		func(c *tcpopt.Config) *time.Duration { return &c.Idle }},
	{"interval", tcpopt.KeepIntervalRow, tcpopt.Socket.KeepAliveInterval, tcpopt.Socket.SetKeepAliveInterval,
		func(c *tcpopt.Config) *time.Duration { return &c.Interval }},
	{"user timeout", tcpopt.UserTimeoutRow, tcpopt.Socket.UserTimeout, tcpopt.Socket.SetUserTimeout,
		func(c *tcpopt.Config) *time.Duration { return &c.UserTimeout }},
}

// allCalls is every method, as a read or a write of one option.
var allCalls = []struct {
	name  string
	label string
	call  func(tcpopt.Socket) error
}{
	{"KeepAlive", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAlive(); return err }},
	{"SetKeepAlive", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAlive(true) }},
	{"KeepAliveIdle", tcpopt.KeepIdleRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAliveIdle(); return err }},
	{"SetKeepAliveIdle", tcpopt.KeepIdleRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAliveIdle(time.Minute) }},
	{"KeepAliveInterval", tcpopt.KeepIntervalRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAliveInterval(); return err }},
	{"SetKeepAliveInterval", tcpopt.KeepIntervalRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAliveInterval(time.Minute) }},
	{"KeepAliveCount", tcpopt.KeepCountRow.Label(), func(s tcpopt.Socket) error { _, err := s.KeepAliveCount(); return err }},
	{"SetKeepAliveCount", tcpopt.KeepCountRow.Label(), func(s tcpopt.Socket) error { return s.SetKeepAliveCount(3) }},
	{"UserTimeout", tcpopt.UserTimeoutRow.Label(), func(s tcpopt.Socket) error { _, err := s.UserTimeout(); return err }},
	{"SetUserTimeout", tcpopt.UserTimeoutRow.Label(), func(s tcpopt.Socket) error { return s.SetUserTimeout(time.Minute) }},
	{"Config", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { _, err := s.Config(); return err }},
	{"SetConfig", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { return s.SetConfig(tcpopt.Config{}) }},
	{"Progress", tcpopt.TCPInfoRow.Label(), func(s tcpopt.Socket) error { _, err := s.Progress(); return err }},
}

// TestSupportTable compares the table of the package documentation with the
// rows of this OS.
func TestSupportTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	inherits := "no"
	if tcpopt.KeepAliveRow.Inherits() {
		inherits = "yes"
	}
	want := []string{tcpopt.KeepIdleRow.Text(), tcpopt.KeepIntervalRow.Text(), tcpopt.KeepCountRow.Text(), tcpopt.UserTimeoutRow.Text(), inherits}
	for line := range strings.Lines(string(doc)) {
		cells := strings.Split(strings.TrimPrefix(line, "//"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if slices.Contains(strings.Split(cells[0], ", "), runtime.GOOS) {
			if got := cells[1:]; !slices.Equal(got, want) {
				t.Errorf("doc.go says %q of %s, its rows say %q", got, runtime.GOOS, want)
			}
			return
		}
	}
	t.Errorf("doc.go has no line for %s", runtime.GOOS)
}

func TestUnsupportedOS(t *testing.T) {
	if tcpopt.KeepAliveRow.Settable() {
		t.Skip("this OS has socket options")
	}
	for _, tt := range allCalls {
		wantError(t, tt.name, tt.call(tcpopt.FromRawConn(noControl{})), tt.label, errors.ErrUnsupported)
	}
	if _, err := tcpopt.Defaults(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Defaults() = %v, want errors.ErrUnsupported", err)
	}
}

func TestZeroSocket(t *testing.T) {
	for _, tt := range allCalls {
		for _, s := range []tcpopt.Socket{{}, tcpopt.FromRawConn(nil)} {
			wantError(t, tt.name, tt.call(s), tt.label, syscall.EINVAL)
		}
	}
}
