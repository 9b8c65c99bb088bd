package main

import (
	_ "embed"
	"flag"
	"fmt"
	"io"
)

//go:embed completion.bash
var completion string

func runCompletion(v *verb, args []string, stdout, stderr io.Writer) int {
	if status, ok := v.parse(&flag.FlagSet{}, args, stdout, stderr); !ok {
		return status
	}
	if _, err := io.WriteString(stdout, completion); err != nil {
		fmt.Fprintln(stderr, "tcpopt completion:", err)
		return failed
	}
	return done
}
