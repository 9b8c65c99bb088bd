package netlab_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

func TestMain(m *testing.M) { labtest.Main(m, 32) }

func TestUnsupported(t *testing.T) {
	h, err := netlab.NewHost()
	if err == nil {
		h.Close()
	}
	if want := errors.ErrUnsupported; runtime.GOOS != "linux" && !errors.Is(err, want) {
		t.Errorf("NewHost() on %s = %v, want %v", runtime.GOOS, err, want)
	}
}
