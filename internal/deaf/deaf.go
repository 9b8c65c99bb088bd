// Package deaf makes one end of a TCP connection deaf, and where the kernel can
// also mute, without privileges and by nothing but options of its socket.
package deaf

import (
	"errors"
	"syscall"
)

// A Way is a socket option that silences. Remove answers ENOENT if there was
// nothing to remove.
type Way struct {
	Name        string
	Add, Remove func(fd int) error
	Mute        bool // and not only deaf
}

// Silence silences rc, a connected TCP socket, by the first of ways that is not
// refused, or of those that the system has if none is given. What its program
// has read is acknowledged first.
//
// Undo ends that; it is nil if rc was silent before. The warning is not empty if
// rc is deaf but not mute. An error that matches [errors.ErrUnsupported] says why
// each way was refused.
func Silence(rc syscall.RawConn, ways ...Way) (undo func(), warning string, err error) {
	return silence(rc, ways)
}

// unsupported is the error of what cannot be done here.
type unsupported string

func (e unsupported) Error() string { return string(e) }

// Is reports whether target is [errors.ErrUnsupported].
func (unsupported) Is(target error) bool { return target == errors.ErrUnsupported }
