package tcpopt

import (
	"io/fs"
	"net"
	"os"
	"reflect"
	"slices"
	"strings"
)

// IsDeadPeer reports whether err, of Read or Write on an established connection,
// says that the kernel gave up on a peer that is silent or cannot be reached:
// ETIMEDOUT, or what the ICMP errors of a router or of a firewall become. On
// Linux these are EHOSTUNREACH, ENETUNREACH, EHOSTDOWN, ENONET, ECONNREFUSED,
// EACCES, ENOPROTOOPT, EPROTO and EOPNOTSUPP, which also matches
// [errors.ErrUnsupported]. On other Unix systems they are EHOSTUNREACH, ENETUNREACH,
// EHOSTDOWN, ECONNREFUSED and ENOPROTOOPT, and on Windows the first four of these and
// WSAENETRESET; on plan9, js and wasip1 there are none.
//
// It is false for a connection that the peer reset, since such a peer is alive;
// for a deadline of the caller's, although that is a timeout too; and for a
// closed connection. A connection that speaks multipath TCP dies with ENOTCONN,
// for which it is false.
//
// Only errors of reading and writing TCP count, wherever in the tree of err they
// are (see package errors), or an errno alone. What is below an error of dialing,
// through a proxy too, of another operation of package net, of UDP, of a file or
// of this package does not.
//
// # The verdict is reported once
//
// The kernel reports it to one Read or one Write. The next Read returns io.EOF, as
// if the peer had closed, and the next Write EPIPE; where both are blocked, one of
// them gets the verdict and the other one of these. On an EOF that matters, ask
// whether [Progress].Aborted.
//
// ETIMEDOUT is a timeout to package net. So a library that takes every timeout
// for a deadline of its own reads again, and returns the EOF: seen of pgx,
// go-redis, yamux and golang.org/x/crypto/ssh in NewSession. Others drop the
// cause of their errors: go-sql-driver/mysql, grpc-go, of which the text remains,
// and gorilla/websocket 1.5.3, whose error has no Unwrap. Seen to keep the
// verdict: net/http, crypto/tls, lib/pq, redigo, coder/websocket, ssh in Wait,
// sarama and nats.go. The example has a connection that keeps it for those who
// read again, and can be asked for it where the cause is dropped.
func IsDeadPeer(err error) bool {
	// Breadth first, since a branch may have no end.
	for queue, i := append(make([]error, 0, 16), err), 0; i < len(queue); i++ {
		err := queue[i]
		if v := reflect.ValueOf(err); v.Kind() == reflect.Pointer && v.IsNil() {
			continue // Its methods may not survive a call.
		}
		switch e := err.(type) {
		case *net.OpError:
			if !slices.Contains(readOrWrite, e.Op) || e.Net != "" && !strings.HasPrefix(e.Net, "tcp") {
				continue
			}
		case *os.SyscallError:
			if slices.Contains(otherCalls, e.Syscall) {
				continue
			}
		case *fs.PathError, *os.LinkError, *OptionError:
			continue
		}
		// Not errors.Is, which asks an error's own opinion.
		if slices.Contains(deadPeer, err) {
			return true
		}
		var below []error
		switch e := err.(type) {
		case interface{ Unwrap() error }:
			below = []error{e.Unwrap()}
		case interface{ Unwrap() []error }:
			below = e.Unwrap()
		}
		queue = append(queue, below[:min(len(below), maxErrors-len(queue))]...)
	}
	return false
}

// maxErrors is how many errors of a tree are looked at; a loop has no end.
const maxErrors = 1 << 14

// otherCalls are the system calls that fail with an errno of a dead peer and
// say nothing of an established connection.
var otherCalls = []string{"connect", "connectex", "getsockopt", "setsockopt"}

// readOrWrite are the operations of reading and writing; the last three are of
// io.Copy and of net.Buffers.
var readOrWrite = []string{"read", "write", "readfrom", "writeto", "writev"}
