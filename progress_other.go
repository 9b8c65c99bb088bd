//go:build aix || dragonfly || netbsd || openbsd || solaris || (!unix && !windows)

package tcpopt

import (
	"errors"
	"fmt"
	"runtime"
)

var tcpInfo = option{label: "TCP_INFO"}

func readProgress(uintptr) (Progress, error) {
	return Progress{}, fmt.Errorf("not on %s: %w", runtime.GOOS, errors.ErrUnsupported)
}
