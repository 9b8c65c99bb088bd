package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// TestMain lets the test binary be the command.
func TestMain(m *testing.M) {
	if os.Getenv("TCPOPT_COMMAND") != "" {
		main()
	}
	if program := programs[os.Getenv("TCPOPT_PROGRAM")]; program != nil {
		os.Exit(program())
	}
	netlab.Enter() // Where it fails, NewHost says why.
	// Most tests wait for timers, not for a processor. An argument outranks it.
	flag.Set("test.parallel", "16")
	os.Exit(m.Run())
}

func TestUsage(t *testing.T) {
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"nothing", nil, 2, "usage: tcpopt"},
		{"unknown command", []string{"nonsense"}, 2, `unknown command "nonsense"`},
		{"unknown flag", []string{"defaults", "-nonsense"}, 2, "-nonsense"},
		{"bad flag value", []string{"defaults", "-json=2h"}, 2, `"2h"`},
		{"argument", []string{"defaults", "more"}, 2, `unexpected argument "more"`},
		{"help", []string{"help"}, 0, "usage: tcpopt"},
		{"help of a command", []string{"defaults", "-h"}, 0, "example: tcpopt defaults"},
		{"help with a command", []string{"help", "defaults"}, 0, "example: tcpopt defaults"},
		{"help with help", []string{"help", "help"}, 0, "usage: tcpopt command"},
		{"help with more", []string{"help", "ls", "more"}, 2, `unexpected argument "more"`},
		{"flag of help with a command", []string{"-h", "ls"}, 2, `unexpected argument "ls"`},
		{"help with nonsense", []string{"help", "nonsense"}, 2, `unknown command "nonsense"`},
	} {
		var stdout, stderr bytes.Buffer
		status := run(tt.args, &stdout, &stderr)
		said, silent := &stderr, &stdout
		if tt.status == 0 {
			said, silent = &stdout, &stderr
		}
		if tt.args != nil && tt.status == 2 && !strings.Contains(stderr.String(), "usage: tcpopt") {
			t.Errorf("%s: no usage in %q", tt.name, &stderr)
		}
		if status != tt.status || !strings.Contains(said.String(), tt.want) || silent.Len() > 0 {
			t.Errorf("%s: status %d, stdout %q, stderr %q, want %d and %q", tt.name, status, &stdout, &stderr, tt.status, tt.want)
		}
	}
}

func TestDefaults(t *testing.T) {
	want, err := tcpopt.Defaults()
	wantStatus := 0
	if err != nil {
		wantStatus = 1
	}
	var stdout, stderr bytes.Buffer
	if status := run([]string{"defaults", "-json"}, &stdout, &stderr); status != wantStatus || (stderr.Len() > 0) != (err != nil) {
		t.Fatalf("status %d, stderr %q, want %d", status, &stderr, wantStatus)
	}
	var got report
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("%v in %s", err, &stdout)
	}
	if got.OS != runtime.GOOS {
		t.Errorf("os is %q", got.OS)
	}
	if wantStatus == 1 {
		if got.Defaults != (values{}) || len(got.Options) > 0 {
			t.Errorf("%+v with status %d", got, 1)
		}
		return
	}
	if d := got.Defaults; d.Enable == nil || *d.Enable != want.Enable || d.Idle == nil || *d.Idle != want.Idle.Seconds() {
		t.Errorf("defaults are %s, want %+v", &stdout, want)
	}
	settings, _ := tcpopt.SystemSettings()
	if len(got.Settings) != len(settings) {
		t.Errorf("settings are %+v, want %+v", got.Settings, settings)
	}
	if len(got.Options) < 5 || got.Options[0] != (option{"SO_KEEPALIVE", "enable", true, true}) {
		t.Errorf("options are %+v", got.Options)
	}

	stdout.Reset()
	if status := run([]string{"defaults"}, &stdout, &stderr); status != 0 {
		t.Errorf("status %d, stderr %q", status, &stderr)
	}
	for _, words := range []string{"A new TCP socket on " + runtime.GOOS, "keepalive     off", "idle          " + want.Idle.String(), "SO_KEEPALIVE"} {
		if !strings.Contains(stdout.String(), words) {
			t.Errorf("no %q in\n%s", words, &stdout)
		}
	}
}

func TestConclude(t *testing.T) {
	plain, other := errors.New("tcpopt: one"), errors.New("two")
	for _, tt := range []struct {
		name   string
		err    error
		status int
		want   string
	}{
		{"none", nil, done, ""},
		{"plain", plain, failed, "who: one\n"},
		{"joined", errors.Join(plain, other), failed, "who: one\nwho: two\n"},
		{"misused", misused(plain), misuse, "who: one\n"},
		{"misused, wrapped", fmt.Errorf("three: %w", misused(other)), misuse, "who: three: two\n"},
		{"help", &exit{status: done}, done, ""},
		{"found", &exit{status: found}, found, ""},
	} {
		var stderr bytes.Buffer
		if status := conclude(&stderr, "who", tt.err); status != tt.status || stderr.String() != tt.want {
			t.Errorf("%s: status %d, stderr %q, want %d and %q", tt.name, status, &stderr, tt.status, tt.want)
		}
	}
}
