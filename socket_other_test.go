//go:build !unix && !windows

package tcpopt_test

import (
	"syscall"
	"testing"
)

// newSocket is never called: needSockets skips.
func newSocket(testing.TB, string) syscall.RawConn { return nil }
