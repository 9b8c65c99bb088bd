package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
)

// inHost runs the command by way of script, which has it as $0, in a host whose
// defaults are 600 s, 10 s and 5.
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
echo 600 >tcp_keepalive_time; echo 10 >tcp_keepalive_intvl; echo 5 >tcp_keepalive_probes
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
			{"name": "net.ipv4.tcp_keepalive_probes", "value": 5, "unit_seconds": 0, "error": null}],
		`+options+`}`)

	got, _ = inHost(t, `exec "$0" defaults`)
	if want := `A new TCP socket on linux has
  keepalive     off
  idle          10m
  interval      10s
  count         5
  user timeout  0s (the system's own limit)

set for the whole system by
  net.ipv4.tcp_keepalive_time = 600 s
  net.ipv4.tcp_keepalive_intvl = 10 s
  net.ipv4.tcp_keepalive_probes = 5

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
			{"name": "net.ipv4.tcp_keepalive_probes", "value": 5, "unit_seconds": 0, "error": null}],
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
				"error": "open /proc/sys/net/ipv4/tcp_keepalive_probes: no such file or directory"}],
		`+options+`}`)
}
