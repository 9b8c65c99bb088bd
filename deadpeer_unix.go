//go:build unix && !linux

package tcpopt

import "golang.org/x/sys/unix"

// ENOPROTOOPT is what an ICMP parameter problem becomes by inetctlerrmap of the
// BSDs' netinet/ip_input.c (compiled only).
var deadPeer = []error{
	unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ECONNREFUSED, unix.ENOPROTOOPT,
}
