package tcpopt

import "golang.org/x/sys/unix"

// EACCES is what IPv6 makes of "administratively prohibited" (seen on 6.18).
var deadPeer = []error{
	unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.ECONNREFUSED, unix.EACCES,
}
