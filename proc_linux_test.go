package tcpopt_test

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
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

// inNamespace runs the calling test again in a network namespace of its own, and
// returns true there. script is run there first.
func inNamespace(t *testing.T, script string) bool {
	t.Helper()
	if os.Getenv("TCPOPT_NAMESPACE") == t.Name() {
		if out, err := exec.Command("/bin/sh", "-ec", script).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
		return true
	}
	// An exec of /proc/self/exe fails under qemu's user mode, one of the path does not.
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "TCPOPT_NAMESPACE="+t.Name())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Skipf("no user and network namespaces here: %v", err)
	}
	if _, reason, ok := strings.Cut(string(out), "--- SKIP: "+t.Name()); ok {
		t.Skip(strings.TrimSpace(reason))
	}
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("in a namespace: %v\n%s", err, out)
	}
	return false
}

const sysctls = `cd /proc/sys/net/ipv4
echo 600 >tcp_keepalive_time; echo 10 >tcp_keepalive_intvl; echo 5 >tcp_keepalive_probes
`

func TestDefaultsInNamespace(t *testing.T) {
	if !inNamespace(t, sysctls) {
		return
	}
	wantDefaults(t)
	settings, err := tcpopt.SystemSettings()
	if err != nil {
		t.Fatal(err)
	}
	want := []tcpopt.Setting{
		{Name: "net.ipv4.tcp_keepalive_time", Value: 600, Unit: time.Second},
		{Name: "net.ipv4.tcp_keepalive_intvl", Value: 10, Unit: time.Second},
		{Name: "net.ipv4.tcp_keepalive_probes", Value: 5},
	}
	if len(settings) != len(want) {
		t.Fatalf("SystemSettings() = %+v, want %+v", settings, want)
	}
	for i := range want {
		if settings[i] != want[i] {
			t.Errorf("SystemSettings()[%d] = %+v, want %+v", i, settings[i], want[i])
		}
	}
}

func TestDefaultsWithoutProc(t *testing.T) {
	if !inNamespace(t, sysctls+"mount -t tmpfs none /proc") {
		return
	}
	wantDefaults(t)
	settings, err := tcpopt.SystemSettings()
	if err != nil || len(settings) != 3 {
		t.Fatalf("SystemSettings() = %+v, %v, want three", settings, err)
	}
	for _, s := range settings {
		if !errors.Is(s.Err, fs.ErrNotExist) || s.Value != 0 {
			t.Errorf("%+v, want fs.ErrNotExist", s)
		}
	}
}

// TestDefaultsWithoutSocket is in a sandbox that refuses to make a socket.
func TestDefaultsWithoutSocket(t *testing.T) {
	if !inNamespace(t, sysctls) {
		return
	}
	runtime.LockOSThread() // For good: the filter dies with the thread.
	refuseSockets(t)
	wantDefaults(t)
}

// refuseSockets makes socket(2) fail with EPERM in the calling thread.
func refuseSockets(t *testing.T) {
	t.Helper()
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
		t.Fatal(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		t.Skipf("no seccomp filters here: %v", err)
	}
	if _, err := net.Listen("tcp", "127.0.0.1:0"); !errors.Is(err, unix.EPERM) {
		t.Fatalf("net.Listen behind the filter: %v, want EPERM", err)
	}
}

func wantDefaults(t *testing.T) {
	t.Helper()
	want := tcpopt.Config{Idle: 600 * time.Second, Interval: 10 * time.Second, Count: 5}
	if got, err := tcpopt.Defaults(); got != want || err != nil {
		t.Errorf("Defaults() = %+v, %v, want %+v", got, err, want)
	}
}
