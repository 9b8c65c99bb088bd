package main

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
)

// TestDefaultsInNamespace runs the command where the sysctls differ.
func TestDefaultsInNamespace(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, script string
		hidden       bool
	}{
		{"sysctls", "", false},
		{"without /proc", "mount -t tmpfs none /proc\n", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cmd := exec.Command("/bin/sh", "-ec", `
cd /proc/sys/net/ipv4
echo 600 >tcp_keepalive_time; echo 10 >tcp_keepalive_intvl; echo 5 >tcp_keepalive_probes
cd /
`+tt.script+`exec "$0" defaults -json`, exe)
			cmd.Env = append(os.Environ(), "TCPOPT_COMMAND=1")
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
			}
			out, err := cmd.Output()
			if exit := new(exec.ExitError); errors.As(err, &exit) {
				t.Fatalf("%v\n%s", err, exit.Stderr)
			} else if err != nil {
				t.Skipf("no user and network namespaces here: %v", err)
			}
			var got report
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			if d := got.Defaults; *d.Idle != 600 || *d.Interval != 10 || *d.Count != 5 || *d.Enable || *d.UserTimeout != 0 {
				t.Errorf("defaults in %s, want 600, 10, 5", out)
			}
			want := []setting{
				{Name: "net.ipv4.tcp_keepalive_time", Value: 600, Unit: 1},
				{Name: "net.ipv4.tcp_keepalive_intvl", Value: 10, Unit: 1},
				{Name: "net.ipv4.tcp_keepalive_probes", Value: 5},
			}
			if !tt.hidden && !slices.Equal(got.Settings, want) {
				t.Errorf("settings are %+v, want %+v", got.Settings, want)
			}
			for _, s := range got.Settings {
				if tt.hidden && (s.Error == nil || s.Value != 0) {
					t.Errorf("%s = %d without /proc, want an error", s.Name, s.Value)
				}
			}
		})
	}
}
