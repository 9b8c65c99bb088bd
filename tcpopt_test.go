package tcpopt_test

import (
	"errors"
	"maps"
	"net"
	"os"
	"reflect"
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

// A tried is an option, with the round trip that a file for it has, and F in a
// Config.
type tried[T any, F comparable] struct {
	name  string // its column in the table of doc.go, if it has one
	row   tcpopt.Row
	get   func(tcpopt.Socket) (T, error)
	set   func(tcpopt.Socket, T) error
	field func(*tcpopt.Config) *F // nil: not in Config
	plain bool                    // a multipath TCP socket lacks it
}

type (
	switches = tried[bool, tcpopt.Switch]
	times    = tried[time.Duration, time.Duration]
	counts   = tried[int, int]
)

var allSwitches = []switches{
	{"", tcpopt.KeepAliveRow, tcpopt.Socket.KeepAlive, tcpopt.Socket.SetKeepAlive,
		func(c *tcpopt.Config) *tcpopt.Switch { return &c.KeepAlive }, false},
}

var allTimes = []times{ // All are in Config.
	{"idle", tcpopt.KeepIdleRow, tcpopt.Socket.KeepAliveIdle, tcpopt.Socket.SetKeepAliveIdle,
		func(c *tcpopt.Config) *time.Duration { return &c.Idle }, false},
	{"interval", tcpopt.KeepIntervalRow, tcpopt.Socket.KeepAliveInterval, tcpopt.Socket.SetKeepAliveInterval,
		func(c *tcpopt.Config) *time.Duration { return &c.Interval }, false},
	{"user timeout", tcpopt.UserTimeoutRow, tcpopt.Socket.UserTimeout, tcpopt.Socket.SetUserTimeout,
		func(c *tcpopt.Config) *time.Duration { return &c.UserTimeout }, true},
}

var allCounts = []counts{
	{"count", tcpopt.KeepCountRow, tcpopt.Socket.KeepAliveCount, tcpopt.Socket.SetKeepAliveCount,
		func(c *tcpopt.Config) *int { return &c.Count }, false},
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
	{"SetConfig", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error { return s.SetConfig(tcpopt.Config{KeepAlive: tcpopt.Off}) }},
	{"SetSupported", tcpopt.KeepAliveRow.Label(), func(s tcpopt.Socket) error {
		_, err := s.SetSupported(tcpopt.Config{KeepAlive: tcpopt.Off})
		return err
	}},
	{"Progress", tcpopt.TCPInfoRow.Label(), func(s tcpopt.Socket) error { _, err := s.Progress(); return err }},
}

// An entry is an option as all tables here have it.
type entry struct {
	column, get, set string
	row              tcpopt.Row
	field            func(*tcpopt.Config) any // nil: not in Config
}

func (o tried[T, F]) entry() entry {
	e := entry{o.name, methodName(o.get), methodName(o.set), o.row, nil}
	if o.field != nil {
		e.field = func(c *tcpopt.Config) any { return o.field(c) }
	}
	return e
}

// methodName is the name of a method expression.
func methodName(f any) string {
	name := runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name()
	return name[strings.LastIndexByte(name, '.')+1:]
}

func entries() (all []entry) {
	for _, o := range allSwitches {
		all = append(all, o.entry())
	}
	for _, o := range allTimes {
		all = append(all, o.entry())
	}
	for _, o := range allCounts {
		all = append(all, o.entry())
	}
	return all
}

// TestMethods finds a method of Socket that a table here has forgotten.
func TestMethods(t *testing.T) {
	labels := map[string]string{}
	for _, tt := range allCalls {
		if _, twice := labels[tt.name]; twice {
			t.Errorf("allCalls has %s twice", tt.name)
		}
		labels[tt.name] = tt.label
	}
	tries := map[string]int{"Config": 1, "SetConfig": 1, "SetSupported": 1, "Progress": 1} // Not of one option.
	for _, o := range entries() {
		if o.set != "Set"+o.get {
			t.Errorf("%s is tried with %s", o.get, o.set)
		}
		for _, method := range []string{o.get, o.set} {
			tries[method]++
			if got, want := labels[method], o.row.Label(); got != want {
				t.Errorf("%s is of %q in allCalls, its row is %q", method, got, want)
			}
		}
	}
	socket := reflect.TypeFor[tcpopt.Socket]()
	for i := range socket.NumMethod() {
		m := socket.Method(i)
		if _, ok := labels[m.Name]; !ok {
			t.Errorf("allCalls has no %s", m.Name)
		}
		if n := tries[m.Name]; n != 1 {
			t.Errorf("%s is %d times in allSwitches, allTimes and allCounts, want 1", m.Name, n)
		}
	}
}

// TestConfigFields finds a field of Config that a table here has forgotten.
func TestConfigFields(t *testing.T) {
	c := everything
	fields := reflect.ValueOf(&c).Elem()
	tries := map[any]int{}
	for _, o := range entries() {
		if o.field != nil {
			tries[o.field(&c)]++
		}
	}
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		if n := tries[fields.Field(i).Addr().Interface()]; n != 1 {
			t.Errorf("%s is %d times in allSwitches, allTimes and allCounts, want 1", name, n)
		}
		if fields.Field(i).IsZero() {
			t.Errorf("everything has no %s", name)
		}
	}
}

// TestSupportTable compares the table of the package documentation with the
// rows of this OS.
func TestSupportTable(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"inherits": "no"}
	if tcpopt.KeepAliveRow.Inherits() {
		want["inherits"] = "yes"
	}
	for _, o := range entries() {
		if o.column != "" {
			want[o.column] = o.row.Text()
		} else if o.row != tcpopt.KeepAliveRow { // Which every system has that has any.
			t.Errorf("%s has no column", o.get)
		}
	}
	var columns []string
	for _, line := range strings.Split(string(doc), "\n") {
		cells := strings.Split(strings.TrimPrefix(line, "//"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if cells[0] == "OS" {
			columns = cells[1:]
		}
		if slices.Contains(strings.Split(cells[0], ", "), runtime.GOOS) {
			if len(cells)-1 != len(columns) {
				t.Fatalf("doc.go has the columns %q, and of %s %q", columns, runtime.GOOS, cells[1:])
			}
			got := map[string]string{}
			for i, cell := range cells[1:] {
				got[columns[i]] = cell
			}
			if !maps.Equal(got, want) {
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
		if tt.name != "SetSupported" { // It leaves out all, in TestSetSupportedElsewhere.
			wantError(t, tt.name, tt.call(tcpopt.FromRawConn(noControl{})), tt.label, errors.ErrUnsupported)
		}
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
	if tcpopt.KeepAliveRow.Settable() {
		_, err := fromConn(t, &net.TCPConn{}).KeepAlive()
		wantError(t, "KeepAlive of a zero TCPConn", err, tcpopt.KeepAliveRow.Label(), syscall.EINVAL)
	}
}
