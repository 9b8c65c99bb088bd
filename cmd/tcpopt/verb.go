package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
)

// A verb is the first argument, and what it does.
type verb struct {
	name, args, help, example string
	words                     []glossary // of its output
	run                       func(v *verb, args []string, stdout io.Writer) error
	describe                  func(*flag.FlagSet) // If not nil, it gets the flags, and nothing is run.
}

// flags returns the flags of v as its run makes them, those that only say what to
// use in their place left out. Help, man page and completion all come from here.
func (v verb) flags() (all []*flag.Flag) {
	v.describe = func(flags *flag.FlagSet) {
		flags.VisitAll(func(f *flag.Flag) {
			if f.Usage != "" {
				all = append(all, f)
			}
		})
	}
	v.run(&v, nil, io.Discard)
	return all
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

// parse parses the flags of v. The error ends the verb; it is an exit with status
// done if help was asked for, which is printed.
func (v *verb) parse(flags *flag.FlagSet, args []string, stdout io.Writer) error {
	return v.parseOperands(flags, args, stdout, nil)
}

// parseOperands is parse for a verb that takes other arguments too. They may stand
// before, between and after flags.
func (v *verb) parseOperands(flags *flag.FlagSet, args []string, stdout io.Writer, operands *[]string) error {
	if v.describe != nil {
		v.describe(flags)
		return &exit{status: done}
	}
	flags.Init("tcpopt "+v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.VisitAll(func(f *flag.Flag) {
		if _, ok := f.Value.(repeatable); !ok {
			f.Value = &once{Value: f.Value}
		}
	})
	err := flags.Parse(args)
	for err == nil && flags.NArg() > 0 {
		if operands == nil {
			err = fmt.Errorf("unexpected argument %q", flags.Arg(0))
			break
		}
		*operands = append(*operands, flags.Arg(0))
		err = flags.Parse(flags.Args()[1:])
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		v.printHelp(stdout)
		return &exit{status: done}
	case err != nil:
		return misused(fmt.Errorf("%w; usage: tcpopt %s -h", err, v.name))
	}
	return nil
}
