//go:build !linux

package deaf

import (
	"runtime"
	"syscall"
)

func silence(syscall.RawConn, []Way) (undo func(), warning string, err error) {
	return nil, "", unsupported("no way to silence a TCP peer without privileges is known on " + runtime.GOOS)
}
