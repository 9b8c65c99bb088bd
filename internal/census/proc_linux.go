package census

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// checkProc returns an error unless /proc belongs to the PID namespace of this process.
// Otherwise its numbers and those in system calls would be different processes.
func checkProc() error {
	self, err := os.Readlink("/proc/self")
	status, serr := os.ReadFile("/proc/self/status")
	if err == nil && serr == nil && self == strconv.Itoa(os.Getpid()) && !nested(status) {
		return nil
	}
	var st unix.Statfs_t
	if unix.Statfs("/proc", &st) != nil || st.Type != unix.PROC_SUPER_MAGIC {
		return errors.New("this needs /proc, which is not mounted")
	}
	return errors.New("/proc is of another PID namespace than this process: enter that of the network alone, as nsenter -n does, or that of the mounts with that of processes, as nsenter -m -p does")
}

// nested reports whether a process has numbers in several namespaces. Its status in
// /proc lists them from the namespace of /proc on down, see proc_pid_status(5).
func nested(status []byte) bool {
	_, rest, ok := bytes.Cut(status, []byte("\nNSpid:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return ok && len(bytes.Fields(line)) > 1
}

// hidePID returns the mount option of /proc that hides other processes from this one,
// such as hidepid=invisible. It is empty if there is none, or if this process is
// exempt.
func hidePID() string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	option, group := parseHidePID(mounts)
	if option == "" || strings.HasSuffix(option, "=noaccess") || strings.HasSuffix(option, "=1") {
		return "" // Those processes are visible and are counted.
	}
	// Process 1 always exists.
	if _, err := os.Lstat("/proc/1"); err == nil {
		groups, _ := os.Getgroups()
		exempt := !strings.HasSuffix(option, "=ptraceable") && !strings.HasSuffix(option, "=4") && slices.Contains(append(groups, os.Getegid()), group)
		if exempt || mayTraceAll() {
			return ""
		}
	}
	return option
}

// parseHidePID finds the options hidepid and gid of /proc in a table of mounts, see
// proc_pid_mountinfo(5). The last mount is the visible one.
func parseHidePID(mounts []byte) (option string, group int) {
	for _, line := range strings.Split(string(mounts), "\n") {
		before, after, _ := strings.Cut(line, " - ")
		mount, super := strings.Fields(before), strings.Fields(after)
		if len(mount) < 5 || mount[4] != "/proc" || len(super) < 3 || super[0] != "proc" {
			continue
		}
		option, group = "", 0
		for _, o := range strings.Split(super[2], ",") {
			if name, value, _ := strings.Cut(o, "="); name == "hidepid" && value != "off" && value != "0" {
				option = o
			} else if name == "gid" {
				group, _ = strconv.Atoi(value)
			}
		}
	}
	return option, group
}

// mayTraceAll reports whether this process has CAP_SYS_PTRACE over all processes,
// except in user namespaces beside its own.
var mayTraceAll = sync.OnceValue(func() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil || data[0].Effective&(1<<unix.CAP_SYS_PTRACE) == 0 {
		return false
	}
	// The first user namespace maps all users to themselves.
	users, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
})

// numbers returns the processes in /proc, or the threads in the directory task of one.
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

// namespaceOf returns the network namespace of dir, a thread of /proc. It may be read
// for processes whose descriptors may be listed.
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

// connectSettings returns the sysctls tcp_syn_linear_timeouts, which came with Linux
// 6.5, and tcp_syn_retries. They cannot be read in another namespace than this
// process's: there the first is that of a new namespace.
func connectSettings(ns uint64) (linear int, retries int32) {
	n, _ := sysctl("tcp_syn_retries")
	linear, err := sysctl("tcp_syn_linear_timeouts")
	if err != nil {
		return 0, int32(n)
	}
	if own, err := namespaceOf("/proc/thread-self"); err != nil || own != ns {
		linear = 4
	}
	return linear, int32(n)
}

// sysctl reads a number of net.ipv4 in this thread's network namespace.
func sysctl(name string) (int, error) {
	text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// commandOf reads the command of a process, a directory of /proc.
func commandOf(dir string) (string, error) {
	text, err := os.ReadFile(dir + "/comm")
	return strings.TrimSuffix(string(text), "\n"), err
}

// mayBeTCP reports whether a process's socket may be a TCP socket, by the kernel's name
// for it.
func mayBeTCP(dir, fd string) bool {
	name := make([]byte, 32)
	n, err := unix.Getxattr(dir+"/fd/"+fd, "system.sockprotoname", name)
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

// lifeless reports whether a process is a kernel thread (PF_KTHREAD of the kernel's
// include/linux/sched.h) or a zombie.
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

// netClass returns the groups of dir, a process or thread of /proc, that the kernel
// stamps on sockets whose descriptors it gets: net_cls and net_prio of cgroup v1.
func netClass(dir string) string {
	text, err := os.ReadFile(dir + "/cgroup")
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
