package tcpopt

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// readSystem reads the sysctl name of the calling thread's network namespace.
func readSystem(name string) (int64, error) {
	file := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	n, err := parseSetting(b)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return n, nil
}

// parseSetting reads the one decimal of a file of /proc/sys. Linux ends it with
// a newline, gVisor does not; zero and negative values are legal.
func parseSetting(b []byte) (int64, error) {
	n, err := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 32)
	if err != nil {
		return 0, err
	}
	return n, nil
}
