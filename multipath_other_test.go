//go:build !linux

package tcpopt_test

import "testing"

// multipathSubjects is empty: package net speaks multipath TCP on Linux alone.
func multipathSubjects(*testing.T) []subject { return nil }
