package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
)

// A verb is the first argument, and what it does.
type verb struct {
	name, args, help, example string
	run                       func(v *verb, args []string, stdout io.Writer) error
}

// Exit statuses.
const (
	done   = 0
	failed = 1
	misuse = 2
	found  = 3 // by ls -check
)

// An exit is an error of a verb that chooses the exit status; that of any other
// error is failed. If err is nil there is nothing to print: the output says it.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.status)
	}
	return e.err.Error()
}

func (e *exit) Unwrap() error { return e.err }

// misused is an err of the arguments.
func misused(err error) error { return &exit{misuse, err} }

// parse parses the flags of v and its other arguments, which may stand before or
// after flags and go to operands. The error ends the verb; it is an exit with
// status done if help was asked for, which is printed.
func (v *verb) parse(flags *flag.FlagSet, args []string, stdout io.Writer, operands ...*string) error {
	flags.Init("tcpopt "+v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.VisitAll(func(f *flag.Flag) {
		if _, ok := f.Value.(repeatable); !ok {
			f.Value = &once{Value: f.Value}
		}
	})
	err := flags.Parse(args)
	for err == nil && flags.NArg() > 0 {
		if len(operands) == 0 {
			err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
			break
		}
		*operands[0], operands = flags.Arg(0), operands[1:]
		err = flags.Parse(flags.Args()[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprintf(stdout, "usage: tcpopt %s\n  %s\n", strings.TrimSpace(v.name+" "+v.args), v.help)
		var shown flag.FlagSet
		shown.SetOutput(stdout)
		flags.VisitAll(func(f *flag.Flag) {
			if f.Usage == "" {
				return // It only says what to use in its place.
			}
			value := f.Value
			if o, ok := value.(*once); ok {
				value = o.Value
			}
			shown.Var(value, f.Name, f.Usage)
		})
		shown.PrintDefaults()
		fmt.Fprintf(stdout, "example: %s\n", v.example)
		return &exit{status: done}
	case err != nil:
		return misused(fmt.Errorf("%w; usage: tcpopt %s -h", err, v.name))
	}
	return nil
}
