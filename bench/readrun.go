package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"oubliette/bench/html"
)

// maxRun is how many bytes the JSON of a run may have: thirty times those of a run
// of all workloads.
const maxRun = 1 << 20

// readRun reads what a run has printed with --json.
func readRun(path string) (*sheet, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxRun+1))
	if err != nil {
		return nil, err
	}
	s, err := parseRun(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

// runFile is a sheet on its way from a file.
type runFile struct {
	Machine  machine    `json:"machine"`
	Settings settings   `json:"settings"`
	Figures  figureList `json:"figures"`
	Seconds  float64    `json:"seconds"`
}

// parseRun answers the sheet that b holds; a page can be made of it.
func parseRun(b []byte) (*sheet, error) {
	if len(b) > maxRun {
		return nil, fmt.Errorf("more than %d bytes", maxRun)
	}
	var in runFile
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, located(b, err)
	}
	if end := int(d.InputOffset()); len(bytes.TrimSpace(b[end:])) > 0 {
		return nil, fmt.Errorf("%s: more behind the run", place(b, end))
	}
	s := &sheet{in.Machine, in.Settings, in.Figures, in.Seconds}
	return s, s.report().Check()
}

// located says where in b an error is, if the decoder has said.
func located(b []byte, err error) error {
	switch e := err.(type) { // not errors.As: what lies deeper counts from elsewhere
	case *json.SyntaxError:
		return fmt.Errorf("%s: %w", place(b, int(e.Offset)), err)
	case *json.UnmarshalTypeError:
		return fmt.Errorf("%s: %w", place(b, int(e.Offset)), err)
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: it ends before the run does", place(b, len(b)))
	}
	return err
}

// place is the line and the column, in bytes, that the first n bytes end in.
func place(b []byte, n int) string {
	before := b[:min(n, len(b))]
	line := bytes.Count(before, []byte("\n")) + 1
	return fmt.Sprintf("line %d, column %d", line, len(before)-bytes.LastIndexByte(before, '\n')-1)
}

// figureList is as many figures as a page may have: the list is counted while it is
// read, so that two bytes of input cannot become a figure's worth of memory each.
type figureList []figure

func (l *figureList) UnmarshalJSON(b []byte) error {
	*l = nil
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(errors.New("figures: not a list"), err)
	}
	for d.More() {
		if len(*l) == html.MaxFigures {
			return fmt.Errorf("figures: more than %d", html.MaxFigures)
		}
		var f figure
		if err := d.Decode(&f); err != nil {
			return fmt.Errorf("figures[%d]: %w", len(*l), err)
		}
		*l = append(*l, f)
	}
	return nil
}
