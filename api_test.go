package tcpopt_test

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write api/*.txt")

// TestAPI compares what each package exports, on any system, with a text, so that
// nothing changes unseen.
func TestAPI(t *testing.T) {
	for name, dir := range map[string]string{"tcpopt": ".", "liveness": "liveness", "tcpopttest": "tcpopttest"} {
		file := filepath.Join("api", name+".txt")
		got := exported(t, dir)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(string(text), "\r\n", "\n")
		gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
		for _, line := range gotLines {
			if !slices.Contains(wantLines, line) {
				t.Errorf("%s lacks %q", file, line)
			}
		}
		for _, line := range wantLines {
			if !slices.Contains(gotLines, line) {
				t.Errorf("package %s lacks %q", name, line)
			}
		}
		if got != want {
			t.Errorf("%s is not what the package exports: if that is meant, go test -run TestAPI . -update", file)
		}
	}
}

// exported returns the exported declarations of a folder, without bodies and
// comments, in the order of their text.
func exported(t *testing.T, dir string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var decls []string
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		ast.FileExports(f)
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.GenDecl:
				if d.Tok == token.IMPORT {
					continue
				}
			case *ast.FuncDecl:
				if d.Recv != nil && !ast.IsExported(receiver(d.Recv.List[0].Type)) {
					continue
				}
				d.Body = nil
			}
			var b strings.Builder
			if err := (&printer.Config{Mode: printer.RawFormat}).Fprint(&b, files, d); err != nil {
				t.Fatal(err)
			}
			// The text does not depend on comments: no blank lines, nothing aligned.
			decls = append(decls, blankLines.ReplaceAllString(b.String(), "\n")+"\n")
		}
	}
	slices.Sort(decls)
	return strings.Join(slices.Compact(decls), "")
}

var blankLines = regexp.MustCompile(`\n\s*\n`)

// receiver returns the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
