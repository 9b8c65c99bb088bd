//go:build unix && !linux

package tcpopt

import "golang.org/x/sys/unix"

// ENOPROTOOPT is what an ICMP parameter problem becomes by inetctlerrmap of
// netinet/ip_input.c (read in FreeBSD 13's; compiled only).
var deadPeer = []error{
	unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ECONNREFUSED, unix.ENOPROTOOPT,
}
