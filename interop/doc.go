// Package interop tests tcpopt together with the libraries of others, on real
// servers where they have one. It is a module of its own, so that nobody who uses
// tcpopt depends on them.
package interop
