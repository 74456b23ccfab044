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

// maxRun is how many bytes the JSON of a run may have: some ten times those of a run
// of all workloads and all stores.
const maxRun = 4 << 20

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
	Stores   storeList  `json:"stores"`
	Figures  figureList `json:"figures"`
	Notes    noteList   `json:"notes"`
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
	s := &sheet{in.Machine, in.Settings, in.Stores, in.Figures, in.Notes, in.Seconds}
	if err := s.report().Check(); err != nil {
		return nil, err
	}
	return s, s.checkTargets()
}

// checkTargets answers the first figure that says one thing of its targets one by
// one, and another of all.
func (s *sheet) checkTargets() error {
	for i, f := range s.Figures {
		var all figure
		for _, v := range f.Targets {
			all.take(v)
		}
		if all.Target != f.Target || (all.Met == nil) != (f.Met == nil) || all.Met != nil && *all.Met != *f.Met {
			return fmt.Errorf("figures[%d]: target and met are not those of its targets", i)
		}
	}
	return nil
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

// Lists are as long as a page may have them: they are counted while they are read,
// so that two bytes of input cannot become a figure's worth of memory each.
type (
	storeList  []participant
	figureList []figure
	noteList   []string
)

func (l *storeList) UnmarshalJSON(b []byte) error {
	return readList(b, "stores", html.MaxFacts, (*[]participant)(l))
}

func (l *figureList) UnmarshalJSON(b []byte) error {
	return readList(b, "figures", html.MaxFigures, (*[]figure)(l))
}

func (l *noteList) UnmarshalJSON(b []byte) error {
	return readList(b, "notes", html.MaxNotes, (*[]string)(l))
}

// readList reads at most so many elements.
func readList[T any](b []byte, name string, most int, into *[]T) error {
	*into = nil
	if string(b) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.Join(fmt.Errorf("%s: not a list", name), err)
	}
	for d.More() {
		if len(*into) == most {
			return fmt.Errorf("%s: more than %d", name, most)
		}
		var v T
		if err := d.Decode(&v); err != nil {
			return fmt.Errorf("%s[%d]: %w", name, len(*into), err)
		}
		*into = append(*into, v)
	}
	return nil
}
