// Package deaf makes one end of a TCP connection deaf and, where the kernel can, mute.
// It needs no privileges and only sets options of the socket.
package deaf

import (
	"errors"
	"syscall"
)

// A Way is a socket option that silences. Remove returns ENOENT if there is nothing to
// remove.
type Way struct {
	Name        string
	Add, Remove func(fd int) error
	Mute        bool // not only deaf
}

// Silence silences rc, a connected TCP socket, in the first of ways that the kernel
// does not refuse. Without ways it tries all of this system. It first acknowledges what
// the program of rc has read.
//
// Undo ends the silence; it is nil if rc was silent before. The warning is not empty if
// rc is deaf but not mute. An error that matches [errors.ErrUnsupported] says why the
// kernel refused each way.
func Silence(rc syscall.RawConn, ways ...Way) (undo func(), warning string, err error) {
	return silence(rc, ways)
}

// unsupported is the error if this system cannot silence a peer.
type unsupported string

func (e unsupported) Error() string { return string(e) }

// Is reports whether target is [errors.ErrUnsupported].
func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
