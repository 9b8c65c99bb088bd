package census

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Descriptor says what a process has at a descriptor, or why that is unknown. It reads
// the kernel's name for it, and does not touch the thing itself, which may be a file on
// a file system that hangs.
func Descriptor(pid, fd int) string {
	path := "/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(fd)
	link, err := os.Readlink(path)
	switch {
	case isGone(err):
		return "not open"
	case err != nil:
		return "not known: " + unwrapErrno(err).Error()
	}
	kind, name, _ := strings.Cut(link, ":")
	switch {
	case kind == "socket" && strings.HasPrefix(name, "["):
		return protocolOf(path)
	case kind == "pipe" && strings.HasPrefix(name, "["):
		return "a pipe"
	case kind == "anon_inode":
		return "not a socket, but " + strings.Trim(name, "[]")
	case strings.HasPrefix(link, "/"):
		return "the file " + link
	}
	return "not a socket, but " + link
}

// protocolOf says what kind of socket is at path.
func protocolOf(path string) string {
	name := make([]byte, 64)
	n, err := unix.Getxattr(path, "system.sockprotoname", name)
	if err != nil {
		return "a socket, but not of a TCP connection"
	}
	text := string(bytes.TrimRight(name[:n], "\x00"))
	family, ipv6 := strings.CutSuffix(text, "v6")
	if ipv6 {
		text = family + " over IPv6"
	}
	switch {
	case strings.HasPrefix(text, "UNIX"):
		return "a Unix socket"
	case strings.Contains(text, "TCP"): // MPTCP too.
		return "a TCP socket that is not connected and does not listen, or that other flags leave out"
	}
	return "a " + text + " socket"
}
