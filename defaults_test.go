package tcpopt_test

import (
	"errors"
	"os"
	"testing"

	"github.com/tcpopt/tcpopt"
)

func TestDefaults(t *testing.T) {
	needSockets(t)
	got, err := tcpopt.Defaults()
	if err != nil {
		t.Fatal(err)
	}
	want := config(t, unconnected(t, "tcp4"))
	if want.Idle == 0 || want.Interval == 0 { // The socket cannot tell.
		want.Idle, want.Interval = got.Idle, got.Interval
	}
	if got != want || got.Idle <= 0 {
		t.Errorf("Defaults() = %+v, want %+v", got, want)
	}
}

func TestSystemSettings(t *testing.T) {
	settings, err := tcpopt.SystemSettings()
	if err != nil {
		if !errors.Is(err, errors.ErrUnsupported) || settings != nil {
			t.Errorf("SystemSettings() = %v, %v, want errors.ErrUnsupported", settings, err)
		}
		return
	}
	if len(settings) == 0 {
		t.Error("no settings and no error")
	}
	for _, s := range settings {
		if s.Name == "" || s.Unit < 0 || s.Err != nil && (s.Value != 0 || !errors.Is(s.Err, os.ErrNotExist)) {
			t.Errorf("%+v", s)
		}
	}
}

func BenchmarkDefaults(b *testing.B) {
	b.ReportAllocs()
	for range b.N {
		tcpopt.Defaults()
	}
}
