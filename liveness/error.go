package liveness

import (
	"fmt"
	"time"
)

// A Reason is what the peer failed to do.
type Reason uint8

const (
	// Idle: nothing came from the peer for Idle, and there is no Probe.
	Idle Reason = iota + 1
	// NoReply: the probe was sent and, as far as known, arrived, but nothing came back.
	// The peer's process hangs, or something in between hides its end. The probe of a
	// Probe that has not returned counts as arrived if everything written since is
	// acknowledged.
	NoReply
	// NoProgress: the probe could not be written, or the peer's kernel has not
	// acknowledged it. The path is dead, or the peer does not read.
	NoProgress
)

// String returns r in words, or its number if it is none of the three.
func (r Reason) String() string {
	switch r {
	case Idle:
		return "idle"
	case NoReply:
		return "no reply"
	case NoProgress:
		return "no progress"
	}
	return fmt.Sprintf("Reason(%d)", uint8(r))
}

// An Error is a verdict. It is a [net.Error] whose Timeout is true, but it is not
// [os.ErrDeadlineExceeded], after which a connection can go on. It is not the kernel's
// verdict, so [tcpopt.IsDeadPeer] is false of it.
type Error struct {
	Reason Reason
	Silent time.Duration // since the last sign of life
}

func (e *Error) Error() string {
	return fmt.Sprintf("liveness: peer silent for %v: %v", e.Silent.Round(time.Millisecond), e.Reason)
}

// Timeout reports true.
func (e *Error) Timeout() bool { return true }

// Temporary reports false.
func (e *Error) Temporary() bool { return false }
