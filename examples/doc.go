// Package examples tests that README.md agrees with the programs in its folders. It is
// a module of its own, so that users of tcpopt do not depend on what the programs need.
package examples
