package census

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestUserOf(t *testing.T) {
	if user, err := userOf("/proc/self"); err != nil || user != uint32(os.Getuid()) {
		t.Errorf("this process: %d, %v, want %d", user, err, os.Getuid())
	}
	// Another user, in a user namespace: its owner is the maker of that.
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 7, HostID: os.Getgid(), Size: 1}},
	}
	if os.Geteuid() == 0 {
		attr.UidMappings[0].HostID = 123456
		attr.GidMappings[0].HostID = 123456
		attr.Credential = &syscall.Credential{Uid: 7, Gid: 7, NoSetGroups: true}
	}
	p := sleeping(t, func(cmd *exec.Cmd) error {
		cmd.SysProcAttr = attr
		return cmd.Start()
	})
	dir := fmt.Sprintf("/proc/%d", p.Process.Pid)
	if user, err := userOf(dir); err != nil || user != uint32(os.Getuid()) {
		t.Errorf("a process in another user namespace: %d, %v, want %d", user, err, os.Getuid())
	}
	c, _ := take(t, Query{PIDs: []int{p.Process.Pid}, Listen: true, Owners: true})
	if user, ok := c.Owners[p.Process.Pid]; !ok || user != uint32(os.Getuid()) {
		t.Errorf("owners are %v", c.Owners)
	}
	if _, err := parseUser("Name:\tx\nUid:\n", real); err == nil {
		t.Error("a status without a user has one")
	}
	if user, err := parseUser("Name:\tx\nUid:\t5\t6\t7\t8\nGid:\t9\n", real); err != nil || user != 5 {
		t.Errorf("parseUser = %d, %v, want 5", user, err)
	}
	if user, err := parseUser("Name:\tx\nUid:\t5\t6\t7\t8\nGid:\t9\n", effective); err != nil || user != 6 {
		t.Errorf("parseUser = %d, %v, want 6", user, err)
	}
}
