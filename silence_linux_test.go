package tcpopt_test

import (
	"encoding/binary"
	"net"
	"sync"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/tcpopt/tcpopt"
	"github.com/tcpopt/tcpopt/internal/labtest"
	"github.com/tcpopt/tcpopt/internal/netlab"
)

// TestFaultMaxSilence measures the longest time between two segments of an idle
// connection, over five probes.
func TestFaultMaxSilence(t *testing.T) {
	t.Parallel()
	l := labtest.NewLab(t)
	segments := capture(t, l.Near)
	configs := []tcpopt.Config{
		{Idle: 1 * time.Second, Interval: 1 * time.Second, Count: 3},
		{Idle: 2 * time.Second, Interval: 1 * time.Second, Count: 3},
		{Idle: 1 * time.Second, Interval: 2 * time.Second, Count: 1},
		{Idle: 1 * time.Second, Interval: 3 * time.Second, Count: 2},
		{Idle: 2 * time.Second, Interval: 2 * time.Second, Count: 2, UserTimeout: 3 * time.Second},
		{Idle: 2 * time.Second, Interval: 3 * time.Second, Count: 9, UserTimeout: 1 * time.Second},
	}
	at := make([]ports, len(configs))
	conns := make([]net.Conn, len(configs))
	for i := range configs {
		configs[i].KeepAlive = tcpopt.On
		near, far := l.Connect(t, false)
		set(t, near, configs[i])
		hear(t, near, far)
		conns[i], at[i] = near, ports{near.LocalAddr().(*net.TCPAddr).Port, near.RemoteAddr().(*net.TCPAddr).Port}
	}
	var wg sync.WaitGroup
	for i, c := range configs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			alive(t, conns[i], late(5*c.MaxSilence()))
		}()
	}
	wg.Wait()
	times := segments()
	for i, c := range configs {
		segments, want := times[at[i]], c.MaxSilence()
		var longest time.Duration
		for i := 1; i < len(segments); i++ {
			longest = max(longest, segments[i].Sub(segments[i-1]))
		}
		// Five probes and their answers, after the handshake, data and its answer.
		if len(segments) < 5+2*5 || longest < want-early || longest > late(want) {
			t.Errorf("%+v: silent for %v in %d segments, want %v", c, longest, len(segments), want)
		}
	}
}

// ports are those of a connection: connections to several may share a near one.
type ports struct{ near, far int }

// capture returns a function that returns when a segment left or reached h over
// IPv4.
func capture(t *testing.T, h *netlab.Host) (segments func() map[ports][]time.Time) {
	t.Helper()
	var fd int
	all := binary.BigEndian.AppendUint16(nil, unix.ETH_P_ALL)
	err := h.Do(func() (err error) {
		fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(binary.NativeEndian.Uint16(all)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1); err != nil {
		t.Fatal(err)
	}
	return func() map[ports][]time.Time {
		times := map[ports][]time.Time{}
		for {
			packet, oob := make([]byte, 128), make([]byte, 128)
			n, oobn, _, from, err := unix.Recvmsg(fd, packet, oob, 0)
			if err == unix.EAGAIN {
				return times
			}
			if err != nil {
				t.Fatal(err)
			}
			if n < 20 || packet[0]>>4 != 4 || packet[9] != unix.IPPROTO_TCP {
				continue
			}
			tcp := packet[int(packet[0]&0xf)*4:]
			of := ports{near: int(binary.BigEndian.Uint16(tcp[2:])), far: int(binary.BigEndian.Uint16(tcp))}
			if from.(*unix.SockaddrLinklayer).Pkttype == unix.PACKET_OUTGOING {
				of = ports{near: of.far, far: of.near}
			}
			messages, err := unix.ParseSocketControlMessage(oob[:oobn])
			if err != nil || len(messages) != 1 || len(messages[0].Data) < int(unsafe.Sizeof(unix.Timespec{})) {
				t.Fatalf("no time stamp: %v in %v", err, messages)
			}
			at := time.Unix((*unix.Timespec)(unsafe.Pointer(&messages[0].Data[0])).Unix())
			times[of] = append(times[of], at)
		}
	}
}
