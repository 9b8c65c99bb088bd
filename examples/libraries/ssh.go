package main

import (
	"context"

	"golang.org/x/crypto/ssh"
)

// sshClient returns the error of Wait, which has the verdict. A request or a new
// session fails with io.EOF.
func sshClient(user string) client {
	return func(address string, dial dialer) (call func() error, end func(), err error) {
		nc, err := dial(context.Background(), "tcp", address) // ssh.Dial takes no dialer.
		if err != nil {
			return nil, nil, err
		}
		c, channels, requests, err := ssh.NewClientConn(nc, address, &ssh.ClientConfig{
			User:            user,
			HostKeyCallback: ssh.InsecureIgnoreHostKey(), // In an example only.
		})
		if err != nil {
			nc.Close()
			return nil, nil, err
		}
		conn := ssh.NewClient(c, channels, requests)
		call = func() error {
			if _, _, err := conn.SendRequest("keepalive@openssh.com", true, nil); err != nil {
				return conn.Wait()
			}
			return nil
		}
		return call, func() { conn.Close() }, nil
	}
}
