package tcpopt_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// inHost calls f in a host whose defaults are 600 s, 10 s and 5, on a thread that
// ends with f.
func inHost(t *testing.T, f func()) {
	t.Helper()
	host := labtest.NewHost(t)
	labtest.Need(t, host.Do(func() error {
		for name, value := range map[string]string{"time": "600", "intvl": "10", "probes": "5"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_"+name, []byte(value), 0); err != nil {
				return err
			}
		}
		f()
		return nil
	}))
}

func wantDefaults(t *testing.T, on tcpopt.Switch) {
	t.Helper()
	want := tcpopt.Config{KeepAlive: on, Idle: 600 * time.Second, Interval: 10 * time.Second, Count: 5}
	if on != tcpopt.Leave { // It was read.
		want.UserTimeout = tcpopt.Unbounded
	}
	if got, err := tcpopt.Defaults(); got != want || err != nil {
		t.Errorf("Defaults() = %+v, %v, want %+v", got, err, want)
	}
}

func wantSettings(t *testing.T, values ...int64) {
	t.Helper()
	want := []tcpopt.Setting{
		{Name: "net.ipv4.tcp_keepalive_time", Value: values[0], Unit: time.Second},
		{Name: "net.ipv4.tcp_keepalive_intvl", Value: values[1], Unit: time.Second},
		{Name: "net.ipv4.tcp_keepalive_probes", Value: values[2]},
	}
	if got, err := tcpopt.SystemSettings(); !slices.Equal(got, want) || err != nil {
		t.Errorf("SystemSettings() = %+v, %v, want %+v", got, err, want)
	}
}

func TestDefaultsInNamespace(t *testing.T) {
	inHost(t, func() {
		wantDefaults(t, tcpopt.Off)
		wantSettings(t, 600, 10, 5)
		// A row of a system whose sockets cannot be asked.
		client, _ := connect(t, "tcp4", false)
		if got, err := tcpopt.SystemRow.Get(fromConn(t, client)); got != 600*time.Second || err != nil {
			t.Errorf("get of a system-wide value = %v, %v, want 10m", got, err)
		}
		wantError(t, "set of a system-wide value", tcpopt.SystemRow.Set(fromConn(t, client), time.Second), tcpopt.SystemRow.Label(), errors.ErrUnsupported)
	})
}

func TestDefaultsWithoutProc(t *testing.T) {
	inHost(t, func() {
		hideProc(t)
		wantDefaults(t, tcpopt.Off)
		settings, err := tcpopt.SystemSettings()
		if err != nil || len(settings) != 3 {
			t.Errorf("SystemSettings() = %+v, %v, want three", settings, err)
		}
		for _, s := range settings {
			if !errors.Is(s.Err, fs.ErrNotExist) || s.Value != 0 {
				t.Errorf("%+v, want fs.ErrNotExist", s)
			}
		}
	})
}

// TestDefaultsWrongProc has a /proc like that of gVisor: it is not what sockets
// get.
func TestDefaultsWrongProc(t *testing.T) {
	inHost(t, func() {
		wrongProc(t, 7200, 0, 0)
		wantDefaults(t, tcpopt.Off)
		wantSettings(t, 7200, 0, 0)
	})
}

// TestDefaultsPart has a socket that cannot tell one of the three, and a /proc that
// is wrong about all.
func TestDefaultsPart(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		unknown string
		want    tcpopt.Config
	}{
		{"time", tcpopt.Config{Idle: 7200 * s, Interval: 10 * s, Count: 5}},
		{"intvl", tcpopt.Config{Idle: 600 * s, Interval: 75 * s, Count: 5}},
		{"probes", tcpopt.Config{Idle: 600 * s, Interval: 10 * s, Count: 9}},
	} {
		inHost(t, func() {
			file := "/proc/sys/net/ipv4/tcp_keepalive_" + tt.unknown
			if err := os.WriteFile(file, []byte("0"), 0); err != nil {
				t.Error(err)
			}
			wrongProc(t, 7200, 75, 9)
			tt.want.KeepAlive, tt.want.UserTimeout = tcpopt.Off, tcpopt.Unbounded
			if got, err := tcpopt.Defaults(); got != tt.want || err != nil {
				t.Errorf("without %s: Defaults() = %+v, %v, want %+v", tt.unknown, got, err, tt.want)
			}

			// Nor can that be read: the rest is no error.
			if err := os.WriteFile(file, []byte("many"), 0); err != nil {
				t.Error(err)
			}
			if got, err := tcpopt.Defaults(); got.Idle != 0 && got.Interval != 0 && got.Count != 0 || got.KeepAlive != tcpopt.Off || err != nil {
				t.Errorf("without any %s: Defaults() = %+v, %v", tt.unknown, got, err)
			}
			settings, _ := tcpopt.SystemSettings()
			for _, s := range settings {
				if bad := strings.HasSuffix(s.Name, tt.unknown); bad != (s.Err != nil) || bad && !strings.Contains(s.Err.Error(), file) {
					t.Errorf("%+v, where %s holds a word", s, file)
				}
			}
		})
	}
}

// TestDefaultsRate has a setting whose unit is in another.
func TestDefaultsRate(t *testing.T) {
	inHost(t, func() {
		const rate = "net.ipv4.tcp_keepalive_probes"
		if got := tcpopt.RateUnit(rate); got != time.Second/5 {
			t.Errorf("5 a second: %v, want 200ms", got)
		}
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_probes", []byte("0"), 0); err != nil {
			t.Error(err)
		}
		for _, rate := range []string{"", rate, "net.ipv4.none"} {
			if got := tcpopt.RateUnit(rate); got != time.Minute {
				t.Errorf("unit by %q: %v, want 1m", rate, got)
			}
		}
	})
}

// wrongProc is hideProc with settings that are not those of sockets.
func wrongProc(t *testing.T, idle, interval, count int) {
	t.Helper()
	hideProc(t)
	if err := os.MkdirAll("/proc/sys/net/ipv4", 0o777); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]int{"time": idle, "intvl": interval, "probes": count} {
		if err := os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_"+name, []byte(strconv.Itoa(value)), 0o666); err != nil {
			t.Error(err)
		}
	}
}

// hideProc puts an empty file system over /proc, for the calling thread alone.
func hideProc(t *testing.T) {
	t.Helper()
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		t.Error(err)
		return
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Error(err)
		return
	}
	if err := unix.Mount("none", "/proc", "tmpfs", 0, ""); err != nil {
		t.Error(err)
	}
}

// TestDefaultsWithoutSocket is in a sandbox that refuses to make a socket.
func TestDefaultsWithoutSocket(t *testing.T) {
	var missing error
	inHost(t, func() {
		if missing = refuseSockets(); missing == nil {
			wantDefaults(t, tcpopt.Leave)
			hideProc(t)
			if got, err := tcpopt.Defaults(); got != (tcpopt.Config{}) || !errors.Is(err, unix.EPERM) || !strings.HasPrefix(err.Error(), "tcpopt: defaults: ") {
				t.Errorf("Defaults() = %+v, %v without /proc, want EPERM", got, err)
			}
		}
	})
	if missing != nil {
		t.Skipf("no seccomp filters here: %v", missing)
	}
}

// refuseSockets makes socket(2) fail with EPERM in the calling thread.
func refuseSockets() error {
	socket := uint32(unix.SYS_SOCKET)
	if runtime.GOARCH == "386" || runtime.GOARCH == "s390x" {
		socket = 102 // socketcall(2)
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // The system call's number.
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: socket, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return err
	}
	if _, err := net.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("net.Listen behind the filter: %v, want EPERM", err)
	}
	return nil
}
