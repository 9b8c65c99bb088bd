//go:build !linux

package netlab

import (
	"errors"
	"net"
	"net/netip"
	"os/exec"
	"runtime"
)

func enter() error { return errNone }

// A namespace does not exist here.
type namespace struct{}

var errNone = &unsupported{"no network namespaces on " + runtime.GOOS, errors.ErrUnsupported}

func newNamespace() (*namespace, error) { return nil, errNone }

func (*namespace) do(func() error) error       { return errNone }
func (*namespace) start(*exec.Cmd) error       { return errNone }
func (*namespace) close()                      {}
func (*namespace) address(...netip.Addr) error { return errNone }
func (*namespace) route(*Host, int) error      { return errNone }
func (*namespace) queue(_, _, _ int) error     { return errNone }
func (*namespace) plug(int, string, *namespace, int, string) error {
	return errNone
}

func vanish(*net.TCPConn) error { return errNone }
