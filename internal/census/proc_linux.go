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

// checkProc returns an error unless /proc is of the PID namespace of this process.
// Its numbers would be other processes than those of the same numbers in system
// calls.
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

// nested reports whether a process has numbers in several namespaces, by its status
// in /proc: from that of /proc on down, see proc_pid_status(5).
func nested(status []byte) bool {
	_, rest, ok := bytes.Cut(status, []byte("\nNSpid:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return ok && len(bytes.Fields(line)) > 1
}

// hidePID is the option by which /proc is mounted that keeps this process from
// knowing of others at all, such as hidepid=invisible. It is empty if there is none,
// or it does not concern this process.
func hidePID() string {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	option, group := parseHidePID(mounts)
	if option == "" || strings.HasSuffix(option, "=noaccess") || strings.HasSuffix(option, "=1") {
		return "" // Those are there and are counted.
	}
	// There is a process 1 always.
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
// proc_pid_mountinfo(5). What is mounted last is what is seen.
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

// mayTraceAll reports whether this process has CAP_SYS_PTRACE over all that are not
// in user namespaces beside its own.
var mayTraceAll = sync.OnceValue(func() bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil || data[0].Effective&(1<<unix.CAP_SYS_PTRACE) == 0 {
		return false
	}
	// In the first user namespace all users are there, as themselves.
	users, err := os.ReadFile("/proc/self/uid_map")
	return err == nil && slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
})

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

// connectSettings are the sysctls tcp_syn_linear_timeouts, which came with Linux 6.5,
// and tcp_syn_retries. Of a namespace that this process is not in they cannot be
// read: there the first is what it is in a new one.
func connectSettings(ns uint64) (linear int, retries int32) {
	number := func(name string) (int, error) {
		text, err := os.ReadFile("/proc/sys/net/ipv4/" + name)
		if err != nil {
			return 0, err
		}
		return strconv.Atoi(strings.TrimSpace(string(text)))
	}
	n, _ := number("tcp_syn_retries")
	linear, err := number("tcp_syn_linear_timeouts")
	if err != nil {
		return 0, int32(n)
	}
	if own, err := namespaceOf("/proc/thread-self"); err != nil || own != ns {
		linear = 4
	}
	return linear, int32(n)
}

// mayBeTCP reports whether a process's socket is one of TCP, as far as the name
// tells that the kernel gives it.
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

// netClass is the groups of a process or thread, a directory of /proc, that the
// kernel stamps on the sockets whose descriptors it gets: net_cls and net_prio
// of cgroup v1.
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
