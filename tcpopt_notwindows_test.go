//go:build !windows

package tcpopt_test

import (
	"net"
	"syscall"
	"testing"
)

// rawUDP returns a UDP socket.
func rawUDP(t *testing.T, network string) syscall.RawConn {
	t.Helper()
	udp, err := net.ListenPacket(network, map[string]string{"udp4": "127.0.0.1:0", "udp6": "[::1]:0"}[network])
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { udp.Close() })
	rc, err := udp.(*net.UDPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	return rc
}
