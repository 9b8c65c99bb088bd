package tcpopt_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/tcpopt/tcpopt"
)

// opError is an error of package net, in which cause is of a system call.
func opError(op, network string, cause error) error {
	return &net.OpError{Op: op, Net: network, Err: os.NewSyscallError(op, cause)}
}

func TestIsDeadPeer(t *testing.T) {
	for _, cause := range tcpopt.DeadPeer {
		verdict := opError("read", "tcp", cause)
		for _, err := range []error{
			cause,
			os.NewSyscallError("wsarecv", cause),
			verdict,
			opError("write", "tcp4", cause),
			opError("readfrom", "tcp", cause),
			opError("writeto", "tcp6", cause),
			opError("writev", "tcp", cause),
			opError("read", "", cause),
			fmt.Errorf("wrapped: %w", verdict),
			fmt.Errorf("wrapped twice: %w, %w", io.EOF, verdict),
			&url.Error{Op: "Get", URL: "http://example.com", Err: verdict},
			&net.OpError{Op: "write", Net: "tcp", Err: verdict}, // As of io.Copy.
		} {
			if !tcpopt.IsDeadPeer(err) {
				t.Errorf("IsDeadPeer(%v) = false", err)
			}
		}
		for _, err := range []error{
			opError("dial", "tcp", cause),
			&net.OpError{Op: "proxyconnect", Net: "tcp", Err: opError("dial", "tcp", cause)},
			&net.OpError{Op: "socks connect", Net: "tcp", Err: opError("dial", "tcp", cause)},
			&net.OpError{Op: "socks connect", Net: "tcp", Err: cause},
			opError("listen", "tcp", cause),
			opError("accept", "tcp", cause),
			opError("close", "tcp", cause),
			opError("set", "tcp", cause),
			opError("read", "udp", cause),
			opError("write", "unix", cause),
			opError("read", "ip4:icmp", cause),
			&net.OpError{Op: "read", Net: "udp", Err: verdict},
			&fs.PathError{Op: "read", Path: "file", Err: cause},
			&os.LinkError{Op: "rename", Old: "a", New: "b", Err: cause},
			&tcpopt.OptionError{Op: "set", Option: "TCP_INFO", Err: cause},
			os.NewSyscallError("connect", cause),
			os.NewSyscallError("connectex", cause),
			os.NewSyscallError("getsockopt", cause),
			os.NewSyscallError("setsockopt", cause),
		} {
			if tcpopt.IsDeadPeer(err) || tcpopt.IsDeadPeer(fmt.Errorf("wrapped: %w", err)) {
				t.Errorf("IsDeadPeer(%v) = true", err)
			}
			// None hides the verdict that it stands beside, and none is one.
			for _, both := range [][]error{{err, verdict}, {verdict, err}} {
				if !tcpopt.IsDeadPeer(errors.Join(both...)) {
					t.Errorf("IsDeadPeer(%v and %v) = false", both[0], both[1])
				}
			}
			for _, both := range [][]error{{err, io.EOF}, {io.EOF, err}, {nil, err}} {
				if tcpopt.IsDeadPeer(fmt.Errorf("wrapped: %w", errors.Join(both...))) {
					t.Errorf("IsDeadPeer(%v and %v) = true", both[0], both[1])
				}
			}
		}
	}
	for _, err := range []error{
		nil, io.EOF, net.ErrClosed, os.ErrDeadlineExceeded, syscall.EINVAL, errors.New("some"),
	} {
		if tcpopt.IsDeadPeer(err) || err != nil && tcpopt.IsDeadPeer(opError("read", "tcp", err)) {
			t.Errorf("IsDeadPeer(%v) = true", err)
		}
	}
}

// Odd errors, of which each has what errors.Is or a naive walk falls over.
type (
	// A sliceError cannot be compared.
	sliceError []error
	// A pointerError has a method that its nil pointer does not survive.
	pointerError struct{ err error }
	// A ringError has no end.
	ringError struct{ beside []error }
	// A boastError says that it is everything, or panics.
	boastError struct{ panics bool }
)

func (e sliceError) Error() string    { return fmt.Sprint([]error(e)) }
func (e sliceError) Unwrap() []error  { return e }
func (e *pointerError) Error() string { return "pointer" }
func (e *pointerError) Unwrap() error { return e.err }
func (e *ringError) Error() string    { return "ring" }
func (e *ringError) Unwrap() []error  { return append([]error{e, e}, e.beside...) }
func (e boastError) Error() string    { return "boast" }
func (e boastError) Is(error) bool {
	if e.panics {
		panic("asked")
	}
	return true
}

func TestIsDeadPeerOddErrors(t *testing.T) {
	// Where no dead peer is known, it is enough that the walk ends.
	known := len(tcpopt.DeadPeer) > 0
	verdict := opError("read", "tcp", io.EOF)
	if known {
		verdict = opError("read", "tcp", tcpopt.DeadPeer[0])
	}
	deep := verdict
	for range 1000 {
		deep = fmt.Errorf("%w", errors.Join(io.EOF, deep))
	}
	wide := make(sliceError, 1000)
	wide[999] = verdict
	for name, err := range map[string]error{
		"deep":           deep,
		"wide":           wide,
		"uncomparable":   sliceError{io.EOF, sliceError{}, verdict},
		"beside a ring":  errors.Join(&ringError{}, fmt.Errorf("%w", verdict)),
		"before a ring":  errors.Join(fmt.Errorf("%w", verdict), &ringError{}),
		"in a ring":      &ringError{[]error{verdict}},
		"beside nil":     sliceError{nil, (*net.OpError)(nil), (*fs.PathError)(nil), (*pointerError)(nil), &pointerError{}, verdict},
		"beside a panic": sliceError{boastError{panics: true}, verdict},
	} {
		if is := tcpopt.IsDeadPeer(err); is != known {
			t.Errorf("%s: IsDeadPeer() = %v, want %v", name, is, known)
		}
	}
	for name, err := range map[string]error{
		"nil *net.OpError":         (*net.OpError)(nil),
		"nil *fs.PathError":        (*fs.PathError)(nil),
		"nil *os.LinkError":        (*os.LinkError)(nil),
		"nil *os.SyscallError":     (*os.SyscallError)(nil),
		"nil *tcpopt.OptionError":  (*tcpopt.OptionError)(nil),
		"nil pointer with Unwrap":  (*pointerError)(nil),
		"empty":                    &pointerError{},
		"empty *net.OpError":       &net.OpError{},
		"*net.OpError of nothing":  &net.OpError{Op: "read", Net: "tcp"},
		"nil within *net.OpError":  &net.OpError{Op: "read", Net: "tcp", Err: (*os.SyscallError)(nil)},
		"nothing in a list":        sliceError{},
		"nils in a list":           sliceError{nil, nil},
		"ring":                     &ringError{},
		"says that it is one":      boastError{},
		"panics when it is asked":  boastError{panics: true},
		"dial that contains a yes": &net.OpError{Op: "dial", Net: "tcp", Err: sliceError{verdict}},
	} {
		if tcpopt.IsDeadPeer(err) {
			t.Errorf("%s: IsDeadPeer() = true", name)
		}
	}
}

// TestOtherEnds has errors of real connections whose peer is alive.
func TestOtherEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  func(client, server *net.TCPConn)
	}{
		{"deadline", func(client, _ *net.TCPConn) { client.SetReadDeadline(time.Now()) }},
		{"reset", func(_, server *net.TCPConn) { server.SetLinger(0); server.Close() }},
		{"closed", func(client, _ *net.TCPConn) { client.Close() }},
	} {
		client, server := connect(t, "tcp4", false)
		tt.end(client, server)
		// After a reset, what is told once and what is told then.
		for range 2 {
			_, rerr := client.Read(make([]byte, 1))
			_, werr := client.Write(make([]byte, 1))
			if rerr == nil || tcpopt.IsDeadPeer(rerr) || tcpopt.IsDeadPeer(werr) {
				t.Errorf("%s: IsDeadPeer(%v) or IsDeadPeer(%v) = true", tt.name, rerr, werr)
			}
		}
	}
}
