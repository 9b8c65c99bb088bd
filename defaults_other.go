//go:build aix || solaris || (!unix && !windows)

package tcpopt

import "errors"

func readSystem(string) (int64, error) { return 0, errors.ErrUnsupported }
