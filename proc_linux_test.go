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
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

func TestParseSetting(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   string
		want int64
		ok   bool
	}{
		{"Linux", "7200\n", 7200, true},
		{"gVisor, without a newline", "7200", 7200, true},
		{"off", "0\n", 0, true},
		{"negative", "-1\n", -1, true},
		{"above what a socket takes", "32768\n", 32768, true},
		{"the greatest", "2147483647\n", 1<<31 - 1, true},
		{"above an int", "2147483648\n", 0, false},
		{"empty", "", 0, false},
		{"two numbers", "1\t2\n", 0, false},
		{"text", "7200s\n", 0, false},
	} {
		got, err := tcpopt.ParseSetting([]byte(tt.in))
		if got != tt.want || (err == nil) != tt.ok {
			t.Errorf("%s: ParseSetting(%q) = %d, %v, want %d", tt.name, tt.in, got, err, tt.want)
		}
	}
}

func FuzzParseSetting(f *testing.F) {
	for _, in := range []string{"7200\n", "0", "-1\n", "99999999999999999999\n", " 75 \n", "+9", ""} {
		f.Add([]byte(in))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		n, err := tcpopt.ParseSetting(in)
		if err != nil {
			if n != 0 {
				t.Errorf("ParseSetting(%q) = %d with %v", in, n, err)
			}
			return
		}
		again, err := tcpopt.ParseSetting([]byte(strconv.FormatInt(n, 10) + "\n"))
		if again != n || err != nil || n != int64(int32(n)) {
			t.Errorf("ParseSetting(%q) = %d, then %d, %v", in, n, again, err)
		}
	})
}

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

func wantDefaults(t *testing.T) {
	t.Helper()
	want := tcpopt.Config{Idle: 600 * time.Second, Interval: 10 * time.Second, Count: 5}
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
		wantDefaults(t)
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
		wantDefaults(t)
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
		hideProc(t)
		if err := os.MkdirAll("/proc/sys/net/ipv4", 0o777); err != nil {
			t.Error(err)
		}
		for name, value := range map[string]string{"time": "7200", "intvl": "0", "probes": "0"} {
			if err := os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_"+name, []byte(value), 0o666); err != nil {
				t.Error(err)
			}
		}
		wantDefaults(t)
		wantSettings(t, 7200, 0, 0)
	})
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
			wantDefaults(t)
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
