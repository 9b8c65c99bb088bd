package tcpopt_test

import (
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// TestDefaultsDocumented has a Windows that cannot be asked, and a registry that
// nobody has changed: what Microsoft documents.
func TestDefaultsDocumented(t *testing.T) {
	if tcpopt.KeepIntervalRow.Settable() {
		t.Skip("a socket of this Windows reports its defaults")
	}
	want := tcpopt.Config{KeepAlive: tcpopt.Off, Idle: 2 * time.Hour, Interval: time.Second, Count: 10}
	if got, err := tcpopt.Defaults(); got != want || err != nil {
		t.Errorf("Defaults() = %+v, %v, want %+v", got, err, want)
	}
}
