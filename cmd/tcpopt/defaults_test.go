package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/census"
)

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
	if d := got.Defaults; d.Enable == nil || *d.Enable != (want.KeepAlive == tcpopt.On) || d.Idle == nil || *d.Idle != want.Idle.Seconds() {
		t.Errorf("defaults are %s, want %+v", &stdout, want)
	}
	settings, _ := tcpopt.SystemSettings()
	n := len(settings)
	if _, err := census.SystemLimit(); !errors.Is(err, errors.ErrUnsupported) {
		n++
	}
	if len(got.Settings) != n || (got.Limit != nil) != (n > len(settings)) {
		t.Errorf("settings are %+v, want %+v", got.Settings, settings)
	}
	if len(got.Options) < 5 || got.Options[0] != (option{"SO_KEEPALIVE", "enable", true, true}) {
		t.Errorf("options are %+v", got.Options)
	}

	stdout.Reset()
	if status := run([]string{"defaults"}, &stdout, &stderr); status != 0 {
		t.Errorf("status %d, stderr %q", status, &stderr)
	}
	for _, words := range []string{"A new TCP socket on " + runtime.GOOS, "keepalive     off", "idle          " + short(want.Idle), "SO_KEEPALIVE"} {
		if !strings.Contains(stdout.String(), words) {
			t.Errorf("no %q in\n%s", words, &stdout)
		}
	}
}

// TestSettingNull has a setting that could not be read.
func TestSettingNull(t *testing.T) {
	for _, tt := range []struct {
		name string
		s    tcpopt.Setting
		want string
	}{
		{"read", tcpopt.Setting{Name: "x", Unit: time.Second}, `{"name":"x","value":0,"unit_seconds":1,"error":null}`},
		{"not read", tcpopt.Setting{Name: "x", Unit: time.Second, Err: errors.New("y")}, `{"name":"x","value":null,"unit_seconds":1,"error":"y"}`},
	} {
		got, err := json.Marshal(newSetting(tt.s))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v, want %s", tt.name, got, err, tt.want)
		}
	}
	if got := newSetting(tcpopt.Setting{Name: "x", Value: 7, Err: errors.New("y")}).String(); got != "x: y" {
		t.Errorf("printed %q", got)
	}
}
