package main

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"

	"github.com/tcpopt/tcpopt"
)

// activated returns the first listener that systemd passes (sd_listen_fds(3)), which
// sets c on each connection that it accepts. Options of the listener itself, or
// KeepAlive= in the socket unit, would not last: package net sets its own after each
// Accept, and net.FileListener has no KeepAlive: -1.
func activated(c tcpopt.Config, failed func(net.Conn, error)) (net.Listener, error) {
	if pid, err := strconv.Atoi(os.Getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil, fmt.Errorf("LISTEN_PID=%s is not this process", os.Getenv("LISTEN_PID"))
	}
	f := os.NewFile(3, "LISTEN_FDS")
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, err
	}
	return tcpopt.NewListener(l, c, failed), nil
}

// receive serves one connection.
func receive(config tcpopt.Config) error {
	l, err := activated(config, func(_ net.Conn, err error) { fmt.Println(err) })
	if err != nil {
		return err
	}
	c, err := l.Accept()
	if err != nil {
		return err
	}
	s, err := tcpopt.FromConn(c)
	if err != nil {
		return err
	}
	got, err := s.Config()
	if err != nil {
		return err
	}
	fmt.Printf("accepted, with %+v\n", got)
	_, err = io.Copy(io.Discard, c)
	fmt.Printf("IsDeadPeer: %v\n", tcpopt.IsDeadPeer(err))
	return err
}
