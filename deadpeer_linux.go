package tcpopt

import "golang.org/x/sys/unix"

// What an ICMP error becomes is in icmp_err_convert of net/ipv4/icmp.c and in
// tcp_v4_err; EACCES is IPv6's, of "administratively prohibited" (seen on 6.18).
var deadPeer = []error{
	unix.ETIMEDOUT, unix.EHOSTUNREACH, unix.ENETUNREACH, unix.EHOSTDOWN, unix.ENONET, unix.ECONNREFUSED, unix.EACCES,
	unix.ENOPROTOOPT, unix.EOPNOTSUPP, unix.EPROTO,
}
