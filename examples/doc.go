// Package examples holds the README of the programs in its folders, and the tests
// that hold it to what their tests print. It is a module of its own, so that nobody
// who uses tcpopt depends on what the programs need.
package examples
