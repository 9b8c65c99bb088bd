package tcpopt

import "golang.org/x/sys/windows"

// WSAENETRESET is for keepalive, by Winsock's list of error codes.
var deadPeer = []error{
	windows.WSAETIMEDOUT, windows.WSAENETRESET, windows.WSAEHOSTUNREACH, windows.WSAENETUNREACH, windows.WSAEHOSTDOWN, windows.WSAECONNREFUSED,
}
