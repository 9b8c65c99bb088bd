//go:build !linux

package main

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/tcpopt/tcpopt"
)

var errForeign = fmt.Errorf("the sockets of other processes: not on %s, it takes pidfd_getfd(2) of Linux: %w", runtime.GOOS, errors.ErrUnsupported)

func takeCensus(*query) (*census, error) { return nil, errForeign }

func (s *tcpSocket) visit(func(*tcpSocket, tcpopt.Socket)) error { return errForeign }

func (d denial) explain() string { return d.reason.text() }
