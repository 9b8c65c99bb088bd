//go:build unix && !linux

package tcpopt

import "golang.org/x/sys/unix"

var deadPeer = []error{
	unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ECONNREFUSED,
}
