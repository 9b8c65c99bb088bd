// Command docs draws predicted against measured detection times. It reads grid.txt,
// which TestFaultGrid writes, and writes grid-light.svg and grid-dark.svg.
//
//	TCPOPT_GRID=$PWD/docs/grid.txt go test -run FaultGrid . && go run ./docs
package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"text/template"
	"time"
)

// A point is a connection of the grid.
type point struct {
	Probed              bool // before the cable was cut
	predicted, measured float64
	Title               string
}

// parse reads a table of TestFaultGrid.
func parse(table string) (points []point, err error) {
	lines := strings.Split(strings.TrimSpace(table), "\n")
	for _, line := range lines[1:] {
		f := strings.Split(line, "\t")
		if len(f) != 7 {
			return nil, fmt.Errorf("%q: %d columns, not 7", line, len(f))
		}
		predicted, err := time.ParseDuration(f[5])
		if err != nil {
			return nil, err
		}
		measured, err := time.ParseDuration(f[6])
		if err != nil {
			return nil, err
		}
		title := fmt.Sprintf("%s: idle %s, interval %s, count %s, user timeout %s: predicted %s, measured %s", f[0], f[1], f[2], f[3], f[4], f[5], f[6])
		points = append(points, point{f[0] != "unprobed", predicted.Seconds(), measured.Seconds(), title})
	}
	return points, nil
}

// The picture is a square with logarithmic axes from least to most seconds, and a
// margin for numbers.
const (
	least, most  = 1, 200.0
	side, margin = 480, 64
)

func scale(seconds float64) float64 { return side * math.Log(seconds/least) / math.Log(most/least) }

func x(seconds float64) float64 { return margin + scale(seconds) }
func y(seconds float64) float64 { return margin/2 + side - scale(seconds) }

func (p point) X() string { return fmt.Sprintf("%.1f", x(p.predicted)) }
func (p point) Y() string { return fmt.Sprintf("%.1f", y(p.measured)) }

// band returns the outline of what the tests allow: each timer of Linux may be an
// eighth late, and none early.
func band() string {
	var b strings.Builder
	at := func(predicted, measured float64) {
		fmt.Fprintf(&b, "%.1f,%.1f ", x(predicted), y(measured))
	}
	const steps = 100
	end := (most - 0.3) / 1.127
	for i := range steps + 1 {
		p := least * math.Pow(end/least, float64(i)/steps)
		at(p, 1.127*p+0.3)
	}
	at(most, most)
	at(least, least)
	return strings.TrimSpace(b.String())
}

type palette struct{ Paper, Ink, Faint, Band, Fresh, Probed string }

var palettes = map[string]palette{
	"light": {"#ffffff", "#1f2328", "#d0d7de", "#ddf4ff", "#0550ae", "#bc4c00"},
	"dark":  {"#0d1117", "#e6edf3", "#30363d", "#12283f", "#79c0ff", "#ffa657"},
}

//go:embed grid.svg.tmpl
var picture string

var drawing = template.Must(template.New("").Funcs(template.FuncMap{
	"x": x, "y": y, "band": band, "px": func(f float64) string { return fmt.Sprintf("%.1f", f) },
}).Parse(picture))

// draw returns the picture of points on this paper.
func draw(points []point, paper string) ([]byte, error) {
	var b bytes.Buffer
	err := drawing.Execute(&b, map[string]any{"Colors": palettes[paper], "Points": points, "Ticks": []float64{1, 2, 5, 10, 20, 50, 100, 200}})
	return b.Bytes(), err
}

// folder returns the folder of this package.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}

func main() {
	log.SetFlags(0)
	table, err := os.ReadFile(filepath.Join(folder(), "grid.txt"))
	if err != nil {
		log.Fatal(err)
	}
	points, err := parse(string(table))
	if err != nil {
		log.Fatal(err)
	}
	for paper := range palettes {
		svg, err := draw(points, paper)
		if err == nil {
			err = os.WriteFile(filepath.Join(folder(), "grid-"+paper+".svg"), svg, 0o666)
		}
		if err != nil {
			log.Fatal(err)
		}
	}
}
