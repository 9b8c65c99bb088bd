package tcpopt

import "strconv"

// A Switch says what [Socket.SetConfig] does with an option that is on or off.
// How it is encoded, as a number or as text, may change.
type Switch uint8

const (
	Leave Switch = iota // as it is; off on a new socket
	On
	Off
)

// SwitchOf returns On or Off.
func SwitchOf(on bool) Switch {
	if on {
		return On
	}
	return Off
}

// String returns the name of s, or its number where it is none of the three.
func (s Switch) String() string {
	switch s {
	case Leave:
		return "Leave"
	case On:
		return "On"
	case Off:
		return "Off"
	}
	return "Switch(" + strconv.Itoa(int(s)) + ")"
}
