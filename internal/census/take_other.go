//go:build !linux

package census

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/tcpopt/tcpopt"
)

var errForeign = fmt.Errorf("the sockets of other processes: not on %s, it takes pidfd_getfd(2) of Linux: %w", runtime.GOOS, errors.ErrUnsupported)

// Take takes a census of the sockets that q wants.
func Take(q *Query) (*Census, error) { return nil, errForeign }

// Within calls f on a thread in the network namespace of a process.
func Within(pid int, f func() error) error { return errForeign }

// SystemLimit returns the limit in the network namespace of the calling thread.
func SystemLimit() (Limit, error) { return Limit{}, errForeign }

// Visit reads s again and, if it is still the same socket, calls act with it.
func (s *Socket) Visit(act func(now *Socket, sock tcpopt.Socket)) error { return errForeign }

// IsGone reports whether the process has closed the descriptor or has ended.
func IsGone(err error) bool { return false }

// Explain says what the reason means for this process.
func (d Denial) Explain() string { return d.Reason.Meaning() }

// Descriptor says what a process has at a descriptor.
func Descriptor(pid, fd int) string { return "not known: " + errForeign.Error() }
