#!/bin/sh
# tests.sh build [FLAG...]   compiles the tests of every package that has any,
#                            each into its package's folder
# tests.sh run [COMMAND...]  runs what was compiled there, by COMMAND if given
set -eu
cd "$(dirname "$0")/.."
verb=$1
shift
case $verb in
build)
	packages=$(go list -f '{{if or .TestGoFiles .XTestGoFiles}}.{{slice .ImportPath (len .Module.Path)}}{{end}}' ./...)
	for package in $packages; do
		go test -c "$@" -o "$package/tests.exe" "$package"
	done
	;;
run)
	found=$(find . -name tests.exe)
	test "$found"
	for tests in $found; do
		echo "# ${tests%/*}"
		(cd "${tests%/*}" && "$@" ./tests.exe -test.v -test.timeout=5m)
	done
	;;
esac
