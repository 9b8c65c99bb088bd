//go:build !linux

package tcpopttest

import (
	"runtime"
	"syscall"
	"testing"
)

func silence(tb testing.TB, _ syscall.RawConn) {
	tb.Helper()
	tb.Skipf("tcpopttest: no way to silence a TCP peer without privileges is known on %s", runtime.GOOS)
}
