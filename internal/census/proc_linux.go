package census

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// numbers returns the processes that /proc shows, or the threads that the
// directory task of one of them does.
func numbers(dir string) ([]int, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	all := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			all = append(all, n)
		}
	}
	return all, err
}

// namespaceOf reads which network namespace dir, a thread of /proc, is in. That
// may be read of the processes whose descriptors may be listed.
func namespaceOf(dir string) (uint64, error) {
	link, err := os.Readlink(dir + "/ns/net")
	if err != nil {
		return 0, err
	}
	number, ok := inBrackets(link, "net:[")
	n, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return 0, fmt.Errorf("%s/ns/net is %q", dir, link)
	}
	return n, nil
}

func inBrackets(link, prefix string) (string, bool) {
	s, ok := strings.CutPrefix(link, prefix)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(s, "]")
}

// mayBeTCP reports whether a process's socket is one of TCP, as far as the name
// tells that the kernel gives it.
func mayBeTCP(pid, fd string) bool {
	name := make([]byte, 32)
	n, err := unix.Getxattr("/proc/"+pid+"/fd/"+fd, "system.sockprotoname", name)
	if err != nil {
		return err != unix.ENOENT
	}
	return bytes.Contains(name[:n], []byte("TCP"))
}

// readNames appends the names in a directory.
func readNames(dir int, buf []byte, names []string) ([]string, error) {
	for {
		n, err := unix.ReadDirent(dir, buf)
		switch {
		case err == unix.EINTR:
		case n <= 0 || err != nil:
			return names, err
		default:
			_, _, names = unix.ParseDirent(buf[:n], -1, names)
		}
	}
}

// socketInode reads "socket:[1234]".
func socketInode(link []byte) (uint32, bool) {
	const prefix = "socket:["
	if len(link) <= len(prefix) || string(link[:len(prefix)]) != prefix {
		return 0, false
	}
	var n uint64
	for _, c := range link[len(prefix) : len(link)-1] {
		if c < '0' || c > '9' || n > 1<<32 {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return uint32(n), n>>32 == 0 && n != 0
}

// lifeless reports whether a process is a thread of the kernel (PF_KTHREAD of
// its include/linux/sched.h) or has ended and was not waited for.
func lifeless(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 7 {
		return false
	}
	flags, _ := strconv.ParseUint(fields[6], 10, 32)
	return flags&0x00200000 != 0 || fields[0] == "Z" || fields[0] == "X"
}

// netClass is the groups of a process that the kernel stamps on the sockets
// whose descriptors it gets: net_cls and net_prio of cgroup v1.
func netClass(pid string) string {
	text, err := os.ReadFile("/proc/" + pid + "/cgroup")
	if err != nil {
		return ""
	}
	return netGroups(string(text))
}

func netGroups(cgroup string) string {
	var groups []string
	for _, line := range strings.Split(cgroup, "\n") {
		_, line, _ = strings.Cut(line, ":")
		controllers, path, _ := strings.Cut(line, ":")
		for _, c := range strings.Split(controllers, ",") {
			if c == "net_cls" || c == "net_prio" {
				groups = append(groups, c+" "+path)
			}
		}
	}
	slices.Sort(groups)
	return strings.Join(groups, "\n")
}
