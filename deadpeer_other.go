//go:build !unix && !windows

package tcpopt

var deadPeer []error
