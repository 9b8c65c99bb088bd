// Package deploy tests the files here that run tcpopt on many machines. It is a module
// of its own, since it needs the types of Kubernetes.
package deploy
