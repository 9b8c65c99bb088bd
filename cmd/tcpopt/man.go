package main

import (
	"bufio"
	"flag"
	"fmt"
	"go/doc/comment"
	"io"
	"strings"
)

func runMan(v *verb, args []string, stdout io.Writer) error {
	if err := v.parse(&flag.FlagSet{}, args, stdout); err != nil {
		return err
	}
	w := bufio.NewWriter(stdout)
	info := buildInfo()
	date, _, _ := strings.Cut(recorded(info, "vcs.time"), "T")
	printMan(w, info.Main.Version, date)
	return w.Flush()
}

// printMan prints the documentation and the flags of all verbs in the language of
// man(7).
func printMan(w io.Writer, version, date string) {
	fmt.Fprintf(w, ".TH TCPOPT 1 \"%s\" \"tcpopt %s\" \"User Commands\"\n", date, roff(version))
	content := documentation().Content
	first := plainText(content[0].(*comment.Paragraph).Text)
	sentence, _, _ := strings.Cut(strings.TrimPrefix(first, "Tcpopt "), ".")
	fmt.Fprintf(w, ".SH NAME\ntcpopt \\- %s\n.SH SYNOPSIS\n.nf\n", roff(join(sentence)))
	all := map[string]*verb{}
	for _, v := range verbs() {
		all["tcpopt "+v.name] = v
		fmt.Fprintf(w, "\\fBtcpopt %s\\fR ...\n", v.name)
	}
	fmt.Fprint(w, ".fi\n.SH DESCRIPTION\n")
	var under *verb
	started, apart := false, "" // What comes before a paragraph that is not the first.
	for i, block := range content {
		switch block := block.(type) {
		case *comment.Heading:
			if under != nil {
				under.printFlags(w)
			}
			title := plainText(block.Text)
			if under = all[title]; under == nil {
				fmt.Fprintf(w, ".SH %s\n", roff(strings.ToUpper(title)))
				apart = ""
				continue
			}
			if !started {
				fmt.Fprint(w, ".SH COMMANDS\n")
				started = true
			}
			fmt.Fprintf(w, ".SS %s\n.B %s\n%s\n", roff(title), roff(title), fill(under.args))
			apart = ".PP\n"
		case *comment.Paragraph:
			if text := join(plainText(block.Text)); text != "Usage:" {
				fmt.Fprintf(w, "%s%s\n", apart, fill(text))
				apart = ".PP\n"
			}
		case *comment.Code:
			if i > 2 { // That of the usage is the synopsis.
				fmt.Fprintf(w, ".PP\n.RS 4\n.nf\n%s\n.fi\n.RE\n", roff(strings.TrimRight(block.Text, "\n")))
			}
		}
	}
	fmt.Fprint(w, ".SH SEE ALSO\n.BR tcp (7),\n.BR ss (8),\n.BR ptrace (2),\n.BR pidfd_getfd (2)\n")
}

func (v *verb) printFlags(w io.Writer) {
	for _, f := range v.flags() {
		value, help := usageOf(f)
		fmt.Fprintf(w, ".TP\n.B %s\n%s\n", strings.TrimSpace(roff("-"+f.Name)+" "+"\\fI"+strings.ReplaceAll(roff(value), "|", `|\:`)+"\\fR"), fill(help))
	}
	for _, part := range v.words {
		fmt.Fprintf(w, ".PP\n%s\n", fill(part.title))
		for _, word := range part.words {
			fmt.Fprintf(w, ".TP\n.B %s\n%s\n", roff(word[0]), fill(word[1]))
		}
	}
}

// join makes one line of lines.
func join(text string) string { return strings.Join(strings.Fields(text), " ") }

// fill is a paragraph, in lines that are short enough after roff too.
func fill(text string) string { return strings.TrimSuffix(roff(wrapAt(60, "", "", text)), "\n") }

// roff is text in ASCII that means nothing to roff(7), where a line that begins with
// a dot or an apostrophe would.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "`", "\\`", "'", `\(aq`, "^", `\(ha`, "~", `\(ti`, "…", "...").Replace(text)
	var ascii strings.Builder
	for _, r := range text {
		if r < 0x80 {
			ascii.WriteRune(r)
		} else {
			fmt.Fprintf(&ascii, `\[u%04X]`, r)
		}
	}
	lines := strings.Split(ascii.String(), "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") {
			lines[i] = `\&` + line
		}
	}
	return strings.Join(lines, "\n")
}
