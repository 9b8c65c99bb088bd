//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package tcpopt

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// readSystem reads a sysctl(3) that is a C int.
func readSystem(name string) (int64, error) {
	n, err := unix.SysctlUint32(name)
	if err != nil {
		return 0, fmt.Errorf("sysctl %s: %w", name, err)
	}
	return int64(int32(n)), nil
}
