//go:build !linux

package labtest

import "os"

func executable() (string, error) { return os.Executable() }
