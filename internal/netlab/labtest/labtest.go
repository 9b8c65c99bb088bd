// Package labtest makes hosts and cables of package netlab for a test, which is
// skipped where the machine cannot make them, or fails where the environment has
// TCPOPT_NETLAB=required.
package labtest

import (
	"errors"
	"os"
	"testing"

	"github.com/tcpopt/tcpopt/internal/netlab"
)

// Need fails t because of err, or skips it if err says that the machine cannot do
// what t needs.
func Need(t testing.TB, err error) {
	t.Helper()
	switch {
	case err == nil:
	case errors.Is(err, errors.ErrUnsupported) && os.Getenv("TCPOPT_NETLAB") != "required":
		t.Skip(err)
	default:
		t.Fatal(err)
	}
}

// NewHost returns a host that is closed when t ends.
func NewHost(t testing.TB) *netlab.Host {
	t.Helper()
	h, err := netlab.NewHost()
	Need(t, err)
	t.Cleanup(h.Close)
	return h
}

// NewCable returns a cable that is closed when t ends.
func NewCable(t testing.TB, a, b *netlab.Host) *netlab.Cable {
	t.Helper()
	c, err := netlab.NewCable(a, b)
	Need(t, err)
	t.Cleanup(c.Close)
	return c
}
