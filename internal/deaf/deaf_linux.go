package deaf

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	// Signature has the socket sign what it sends and drop what is not signed
	// (RFC 2385). The other end does not sign.
	Signature = Way{Name: "TCP_MD5SIG", Add: addKey, Remove: removeKey, Mute: true}

	// Filter has the socket drop what arrives.
	Filter = Way{Name: "SO_ATTACH_FILTER", Add: attachFilter, Remove: detachFilter}
)

func silence(rc syscall.RawConn, ways []Way) (undo func(), warning string, err error) {
	if err := prepare(rc); err != nil {
		return nil, "", err
	}
	if len(ways) == 0 {
		ways = []Way{Signature, Filter}
	}
	var refusals []string
	for _, w := range ways {
		if !w.Mute {
			settle(rc)
		}
		inode, before, err := w.use(rc)
		if errors.Is(err, errOwn) {
			return nil, "", err
		}
		if err != nil {
			refusals = append(refusals, w.Name+": "+err.Error())
			continue
		}
		if !w.Mute {
			refusals = append(refusals, w.Name+": the peer is deaf but not mute, what it writes still arrives")
			warning = strings.Join(refusals, "; ")
		}
		if !before {
			// This may fail if the socket is closed or aborted, which is fine.
			undo = func() {
				silenced.Delete(inode)
				rc.Control(func(fd uintptr) { w.Remove(int(fd)) })
			}
		}
		return undo, warning, nil
	}
	rc.Control(func(fd uintptr) {
		if n, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL); err == nil && n == unix.IPPROTO_MPTCP {
			refusals = append(refusals, "it is a multipath TCP socket, see SetMultipathTCP of package net")
		}
	})
	return nil, "", unsupported("this kernel cannot silence this peer: " + strings.Join(refusals, "; "))
}

// prepare returns an error if rc has no peer. It sends at once the ACK, which may be
// delayed, of what the program of rc has read: without it the near end would have data
// in flight, and would not probe.
func prepare(rc syscall.RawConn) (err error) {
	cerr := rc.Control(func(fd uintptr) {
		_, err = unix.Getpeername(int(fd))
		err = os.NewSyscallError("getpeername", err)
		unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_QUICKACK, 1)
	})
	return cmp.Or(cerr, err)
}

// settle waits for the ACK of what rc has sent, and gives up after twice the longest
// delay of an ACK. Otherwise a socket that is deaf but not mute retransmits it again
// and again, and the near end is not idle.
func settle(rc syscall.RawConn) {
	for deadline := time.Now().Add(400 * time.Millisecond); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		n := 0
		rc.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCOUTQ) })
		if n == 0 {
			return
		}
	}
}

// silenced has the inodes of silent sockets, since the kernel does not say whose key or
// filter a socket has.
var silenced sync.Map

var errOwn = errors.New("the socket has one of its own")

// use silences rc, and reports whether it was silent before.
func (w Way) use(rc syscall.RawConn) (inode uint64, before bool, err error) {
	cerr := rc.Control(func(fd uintptr) {
		var stat unix.Stat_t
		if err = os.NewSyscallError("fstat", unix.Fstat(int(fd), &stat)); err != nil {
			return
		}
		inode = stat.Ino
		if _, before = silenced.Load(inode); before {
			return
		}
		// Only an attempt to remove shows whether the socket has one.
		switch err = w.Remove(int(fd)); err {
		case unix.ENOENT:
			if err = os.NewSyscallError("setsockopt", w.Add(int(fd))); err == nil {
				silenced.Store(inode, nil)
			}
		case nil:
			// gVisor accepts options that it lacks, and would let a test pass with a
			// peer that hears.
			if err = w.Remove(int(fd)); err == nil {
				err = errors.New("accepted but without effect")
			} else {
				err = fmt.Errorf("%s: %w, and has lost it by this", w.Name, errOwn)
			}
		default:
			err = os.NewSyscallError("setsockopt", err)
		}
	})
	return inode, before, cmp.Or(cerr, err)
}

func addKey(fd int) error    { return setKey(fd, "tcpopttest") }
func removeKey(fd int) error { return setKey(fd, "") }

// setKey sets the key for the other end's address. An empty key removes it.
func setKey(fd int, key string) error {
	sa, err := unix.Getpeername(fd)
	if err != nil {
		return err
	}
	var sig unix.TCPMD5Sig
	switch sa := sa.(type) {
	case *unix.SockaddrInet4: // After the port, which means nothing here.
		sig.Addr.Family = unix.AF_INET
		copy(sig.Addr.Data[2:], sa.Addr[:])
	case *unix.SockaddrInet6: // After port and flow; an IPv4 address is mapped.
		sig.Addr.Family = unix.AF_INET6
		copy(sig.Addr.Data[6:], sa.Addr[:])
	default:
		return fmt.Errorf("%T: %w", sa, errors.ErrUnsupported)
	}
	sig.Keylen = uint16(copy(sig.Key[:], key))
	return unix.SetsockoptTCPMD5Sig(fd, unix.IPPROTO_TCP, unix.TCP_MD5SIG, &sig)
}

// attachFilter attaches a classic BPF program that accepts 0 bytes of everything.
func attachFilter(fd int) error {
	drop := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0}
	return unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &drop})
}

func detachFilter(fd int) error {
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0)
}
