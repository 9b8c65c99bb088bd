package tcpopt_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
)

// TestNewListenerMultipath has a client that speaks multipath TCP: it gets all but
// the user timeout, and the server is told.
func TestNewListenerMultipath(t *testing.T) {
	inner := listen(t, "tcp4", true)
	var told []error
	l := tcpopt.NewListener(inner, full, func(c net.Conn, err error) { told = append(told, err) })
	want := overlay(untouched(t), full)
	plain := acceptFrom(t, l)
	if got := config(t, fromConn(t, plain)); got != want || told != nil {
		t.Errorf("a client of plain TCP gets %+v, %v, want %+v", got, told, want)
	}

	labtest.Dial(t, nil, inner.Addr().String(), true)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if on, err := c.(*net.TCPConn).MultipathTCP(); !on || err != nil {
		t.Skipf("no multipath TCP on this kernel: %v, %v", on, err)
	}
	want.UserTimeout = 0
	if got := config(t, fromConn(t, c)); got != want {
		t.Errorf("a client of multipath TCP gets %+v, want %+v", got, want)
	}
	if len(told) != 1 {
		t.Fatalf("failed was called with %v, want one error", told)
	}
	wantError(t, "failed", told[0], "TCP_USER_TIMEOUT", errors.ErrUnsupported)
	for _, label := range []string{"SO_KEEPALIVE", "TCP_KEEP"} {
		if strings.Contains(fmt.Sprint(told[0]), label) {
			t.Errorf("failed was called with %v, which names %s", told[0], label)
		}
	}
}

// TestNewListenerInherited has a descriptor of a listener that somebody else opened,
// as socket activation gives it, with a connection in its queue.
func TestNewListenerInherited(t *testing.T) {
	f, err := listen(t, "tcp4", false).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inner, err := net.FileListener(f)
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	queued, err := net.Dial("tcp4", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer queued.Close()
	l := tcpopt.NewListener(inner, full, func(c net.Conn, err error) { t.Errorf("failed(%v, %v)", c, err) })
	for range 2 {
		if got, want := config(t, fromConn(t, acceptFrom(t, l))), overlay(untouched(t), full); got != want {
			t.Errorf("accepted connection has %+v, want %+v", got, want)
		}
	}
	dup, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	dup.Close()
}
