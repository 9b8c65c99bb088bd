//go:build !unix && !windows

package tcpopt

import (
	"errors"
	"time"
)

var (
	keepAlive    = option{label: "SO_KEEPALIVE"}
	keepIdle     = option{label: "TCP_KEEPIDLE", unit: time.Second}
	keepInterval = option{label: "TCP_KEEPINTVL", unit: time.Second}
	keepCount    = option{label: "TCP_KEEPCNT"}
	userTimeout  = option{label: "TCP_USER_TIMEOUT", unit: time.Millisecond}
	tcpInfo      = option{label: "TCP_INFO"}
	noDelay      = option{label: "TCP_NODELAY"}

	keepPair option
)

var onlyTCP = &noDelay

var systemRows []systemRow

const maxFD = ^uintptr(0)

func (o *option) present() bool { return false }

func getsockopt(uintptr, *option) (int64, error) { return 0, errors.ErrUnsupported }

func setsockopt(uintptr, *option, int64) error { return errors.ErrUnsupported }

var notTCP []error

func lacksOption(err error) bool { return errors.Is(err, errors.ErrUnsupported) }
