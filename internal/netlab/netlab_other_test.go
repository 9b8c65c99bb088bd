//go:build !linux

package netlab_test

var programs map[string]func() int
