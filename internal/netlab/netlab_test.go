package netlab_test

import (
	"errors"
	"flag"
	"os"
	"runtime"
	"testing"

	"github.com/tcpopt/tcpopt/internal/netlab"
)

func TestMain(m *testing.M) {
	netlab.Enter() // where it fails, NewHost tells why
	if program := os.Getenv("NETLAB_TEST_PROGRAM"); program != "" {
		os.Exit(programs[program]())
	}
	flag.Set("test.parallel", "32") // the tests wait for timers, not for processors
	os.Exit(m.Run())
}

func TestUnsupported(t *testing.T) {
	h, err := netlab.NewHost()
	if err == nil {
		h.Close()
	}
	if want := errors.ErrUnsupported; runtime.GOOS != "linux" && !errors.Is(err, want) {
		t.Errorf("NewHost() on %s = %v, want %v", runtime.GOOS, err, want)
	}
}
