package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// inHost runs the command by way of script, which has it as $0, in a host whose
// defaults are 600 s, 10 s and 5, and 8 retransmissions.
func inHost(t *testing.T, script string) (stdout, stderr string) {
	t.Helper()
	needsPrograms(t)
	host := labtest.NewHost(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/bin/sh", "-ec", `
cd /proc/sys/net/ipv4
echo 600 >tcp_keepalive_time; echo 10 >tcp_keepalive_intvl; echo 5 >tcp_keepalive_probes; echo 8 >tcp_retries2
cd /
`+script, exe)
	var out, diag bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), theCommand.Env()), &out, &diag
	labtest.Need(t, host.Start(cmd))
	err = cmd.Wait()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, &out, &diag)
	}
	return out.String(), diag.String()
}

// wantJSON compares by the keys that users rely on.
func wantJSON(t *testing.T, got, want string) {
	t.Helper()
	var g, w any
	if err := json.Unmarshal([]byte(got), &g); err != nil {
		t.Fatalf("%v in %s", err, got)
	}
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		t.Fatalf("%v in %s", err, want)
	}
	if !reflect.DeepEqual(g, w) {
		t.Errorf("%s\nwant %s", got, want)
	}
}

const options = `"options": [
	{"name": "SO_KEEPALIVE", "field": "enable", "get": true, "set": true},
	{"name": "TCP_KEEPIDLE", "field": "idle", "get": true, "set": true},
	{"name": "TCP_KEEPINTVL", "field": "interval", "get": true, "set": true},
	{"name": "TCP_KEEPCNT", "field": "count", "get": true, "set": true},
	{"name": "TCP_USER_TIMEOUT", "field": "user timeout", "get": true, "set": true}]`

func TestDefaultsInNamespace(t *testing.T) {
	got, _ := inHost(t, `exec "$0" defaults -json`)
	wantJSON(t, got, `{"os": "linux",
		"defaults": {"enable": false, "idle_seconds": 600, "interval_seconds": 10, "count": 5, "user_timeout_seconds": 0},
		"settings": [
			{"name": "net.ipv4.tcp_keepalive_time", "value": 600, "unit_seconds": 1, "error": null},
			{"name": "net.ipv4.tcp_keepalive_intvl", "value": 10, "unit_seconds": 1, "error": null},
			{"name": "net.ipv4.tcp_keepalive_probes", "value": 5, "unit_seconds": 0, "error": null},
			{"name": "net.ipv4.tcp_retries2", "value": 8, "unit_seconds": 0, "error": null}],
		"system_limit_seconds": 102.2,
		`+options+`}`)

	got, _ = inHost(t, `exec "$0" defaults`)
	if want := `A new TCP socket on linux has
  keepalive     off
  idle          10m
  interval      10s
  count         5
  user timeout  0s (the system's own limit, at least 1m42.2s)

set for the whole system by
  net.ipv4.tcp_keepalive_time = 600 s
  net.ipv4.tcp_keepalive_intvl = 10 s
  net.ipv4.tcp_keepalive_probes = 5
  net.ipv4.tcp_retries2 = 8

and takes these options
  SO_KEEPALIVE      enable        get and set
  TCP_KEEPIDLE      idle          get and set
  TCP_KEEPINTVL     interval      get and set
  TCP_KEEPCNT       count         get and set
  TCP_USER_TIMEOUT  user timeout  get and set
`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestDefaultsFullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"defaults"}, {"defaults", "-json"}} {
		var stderr bytes.Buffer
		if status := run(args, full, &stderr); status != 1 || stderr.String() != "tcpopt defaults: write /dev/full: no space left on device\n" {
			t.Errorf("%q: status %d, stderr %q", args, status, &stderr)
		}
	}
}

// TestDefaultsZero has a sysctl of zero, which is not the same as unknown.
func TestDefaultsZero(t *testing.T) {
	got, _ := inHost(t, `echo 0 >/proc/sys/net/ipv4/tcp_keepalive_intvl; exec "$0" defaults -json`)
	wantJSON(t, got, `{"os": "linux",
		"defaults": {"enable": false, "idle_seconds": 600, "interval_seconds": 0, "count": 5, "user_timeout_seconds": 0},
		"settings": [
			{"name": "net.ipv4.tcp_keepalive_time", "value": 600, "unit_seconds": 1, "error": null},
			{"name": "net.ipv4.tcp_keepalive_intvl", "value": 0, "unit_seconds": 1, "error": null},
			{"name": "net.ipv4.tcp_keepalive_probes", "value": 5, "unit_seconds": 0, "error": null},
			{"name": "net.ipv4.tcp_retries2", "value": 8, "unit_seconds": 0, "error": null}],
		"system_limit_seconds": 102.2,
		`+options+`}`)
}

func TestDefaultsWithoutProc(t *testing.T) {
	got, _ := inHost(t, `exec unshare --mount /bin/sh -ec 'mount -t tmpfs none /proc; exec "$0" defaults -json' "$0"`)
	wantJSON(t, got, `{"os": "linux",
		"defaults": {"enable": false, "idle_seconds": 600, "interval_seconds": 10, "count": 5, "user_timeout_seconds": 0},
		"settings": [
			{"name": "net.ipv4.tcp_keepalive_time", "value": null, "unit_seconds": 1,
				"error": "open /proc/sys/net/ipv4/tcp_keepalive_time: no such file or directory"},
			{"name": "net.ipv4.tcp_keepalive_intvl", "value": null, "unit_seconds": 1,
				"error": "open /proc/sys/net/ipv4/tcp_keepalive_intvl: no such file or directory"},
			{"name": "net.ipv4.tcp_keepalive_probes", "value": null, "unit_seconds": 0,
				"error": "open /proc/sys/net/ipv4/tcp_keepalive_probes: no such file or directory"},
			{"name": "net.ipv4.tcp_retries2", "value": null, "unit_seconds": 0,
				"error": "open /proc/sys/net/ipv4/tcp_retries2: no such file or directory"}],
		"system_limit_seconds": null,
		`+options+`}`)
}

// TestDefaultsOf asks for those of a process in another namespace.
func TestDefaultsOf(t *testing.T) {
	t.Parallel()
	host := labtest.NewHost(t)
	hosted, _ := hold(t, host.Start, "-n", "0")
	labtest.Need(t, host.Do(func() error {
		return errors.Join(os.WriteFile("/proc/sys/net/ipv4/tcp_keepalive_time", []byte("601"), 0), os.WriteFile("/proc/sys/net/ipv4/tcp_retries2", []byte("5"), 0))
	}))
	_, before, _ := command("defaults")
	status, stdout, stderr := command("defaults", "-json", "-pid", hosted.PID())
	if status != 0 || stderr != "" {
		t.Fatalf("status %d, stderr %q", status, stderr)
	}
	wantJSON(t, stdout, `{"os": "linux",
		"defaults": {"enable": false, "idle_seconds": 601, "interval_seconds": 75, "count": 9, "user_timeout_seconds": 0},
		"settings": [
			{"name": "net.ipv4.tcp_keepalive_time", "value": 601, "unit_seconds": 1, "error": null},
			{"name": "net.ipv4.tcp_keepalive_intvl", "value": 75, "unit_seconds": 1, "error": null},
			{"name": "net.ipv4.tcp_keepalive_probes", "value": 9, "unit_seconds": 0, "error": null},
			{"name": "net.ipv4.tcp_retries2", "value": 5, "unit_seconds": 0, "error": null}],
		"system_limit_seconds": 12.6,
		`+options+`}`)
	_, stdout, _ = command("defaults", "-pid", hosted.PID())
	if want := "A new TCP socket in the network namespace of process " + hosted.PID() + " has\n"; !strings.HasPrefix(stdout, want) || !strings.Contains(stdout, "at least 12.6s)") {
		t.Errorf("printed\n%s\nwant %s", stdout, want)
	}
	if _, after, _ := command("defaults"); after != before {
		t.Errorf("afterwards, here\n%s\nwant\n%s", after, before)
	}
	if status, stdout, stderr := command("defaults", "-pid", "4194305"); status != 1 || stdout != "" || stderr != "tcpopt defaults: process 4194305: no such process\n" {
		t.Errorf("of no process: status %d, stdout %q, stderr %q", status, stdout, stderr)
	}
	exe, by := ordinary(t)
	if by == nil {
		return // The user of this test may not enter what it has not made, as package census tests.
	}
	cmd := exec.Command(exe, "defaults", "-pid", hosted.PID())
	cmd.Env, cmd.SysProcAttr = append(os.Environ(), theCommand.Env()), by
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.HasPrefix(string(out), "tcpopt defaults: process "+hosted.PID()+": its namespaces may not be seen") || strings.Count(string(out), "\n") != 1 {
		t.Errorf("as another user: %v, %q", err, out)
	}
}
