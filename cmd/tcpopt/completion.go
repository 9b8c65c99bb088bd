package main

import (
	_ "embed"
	"flag"
	"io"
)

//go:embed completion.bash
var completion string

func runCompletion(v *verb, args []string, stdout io.Writer) error {
	if err := v.parse(&flag.FlagSet{}, args, stdout); err != nil {
		return err
	}
	_, err := io.WriteString(stdout, completion)
	return err
}
