// Package interop tests tcpopt together with the wrappers, listeners and proxies of
// others. It is a module of its own, so that nobody who uses tcpopt depends on them.
package interop
