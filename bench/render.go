package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

const renderUsage = `usage: bench report RUN.json --html FILE

Makes the page of a run that was printed with --json.
`

// renderJob is what the command line of report asks for.
type renderJob struct{ run, html string }

func parseRender(args []string, stderr io.Writer) (j renderJob, err error) {
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		j.run, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("bench report", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprint(stderr, renderUsage); f.PrintDefaults() }
	f.StringVar(&j.html, "html", "", "write the page into `FILE`")
	if err := f.Parse(args); err != nil {
		return j, err
	}
	rest := f.Args()
	if j.run == "" && len(rest) > 0 {
		j.run, rest = rest[0], rest[1:]
	}
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q", rest[0]))
	}
	if j.run == "" {
		errs = append(errs, errors.New("no run: the file that a run with --json has printed"))
	}
	if j.html == "" {
		errs = append(errs, errors.New("no --html: the file to write"))
	}
	return j, errors.Join(errs...)
}

// runReport makes a page of an earlier run.
func runReport(args []string, stderr io.Writer) error {
	j, err := parseRender(args, stderr)
	if err != nil {
		return err
	}
	if same(j.run, j.html) {
		return fmt.Errorf("--html %s is the run itself", j.html)
	}
	s, err := readRun(j.run)
	if err != nil {
		return err
	}
	page, err := beginFile(j.html)
	if err != nil {
		return err
	}
	defer page.done()
	return s.html(page)
}

// same tells whether two names are of one file that is there.
func same(a, b string) bool {
	x, err := os.Stat(a)
	y, err2 := os.Stat(b)
	return err == nil && err2 == nil && os.SameFile(x, y)
}
