package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// input is what a command reads: a file or standard input. Waiting for it ends
// with the context.
type input struct {
	*patientReader
	file   *os.File // nil: standard input
	length int64    // -1 where nobody knows it
}

// input opens a file, or standard input for "-"; what says what it is to hold.
func (a *app) input(ctx context.Context, name, what string) (*input, error) {
	if name == "-" {
		if isTerminal(a.stdin) {
			a.hint("reading %s from the terminal, one a line; Ctrl-D ends them, Ctrl-C gives up", what)
		}
		return &input{newPatientReader(ctx, a.stdin), nil, -1}, nil
	}
	f, err := within(ctx, func() (*os.File, error) { return os.Open(name) }) // a named pipe waits for its writer
	if err != nil {
		return nil, noSuchFile(err)
	}
	in := &input{newPatientReader(ctx, f), f, -1}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		in.close()
		return nil, fmt.Errorf("%w: %s is a directory", errInput, name)
	case info.Mode().IsRegular():
		in.length = info.Size()
	}
	return in, nil
}

// noSuchFile is err, as an error of the input where a file is not there.
func noSuchFile(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w: %w", errInput, err)
	}
	return err
}

func (in *input) close() {
	in.patientReader.stop()
	if in.file != nil {
		_ = in.file.Close() // it has only been read
	}
}

// isTerminal tells whether a person sits at a reader or writer.
func isTerminal(v any) bool {
	f, ok := fileOf(v)
	return ok && term.IsTerminal(int(f.Fd()))
}

// fileOf is the file that a reader or writer stands for.
func fileOf(v any) (*os.File, bool) {
	if o, ok := v.(output); ok {
		v = o.Writer
	}
	f, ok := v.(*os.File)
	return f, ok
}

// patientReader reads in a goroutine of its own, so that an interrupt ends the
// waiting for input that does not come. It reads nothing in advance. A read that
// is under way then is left alone: not every file lets one be called off.
type patientReader struct {
	ctx   context.Context
	ask   chan struct{}
	got   chan piece
	piece piece // what is left of the one that came last
}

type piece struct {
	b   []byte
	err error
}

func newPatientReader(ctx context.Context, r io.Reader) *patientReader {
	p := &patientReader{ctx: ctx, ask: make(chan struct{}, 1), got: make(chan piece, 1)}
	go func() {
		buf := make([]byte, 64<<10)
		for range p.ask {
			n, err := r.Read(buf)
			p.got <- piece{buf[:n], err}
		}
	}()
	return p
}

func (p *patientReader) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	if len(p.piece.b) == 0 && p.piece.err == nil {
		p.ask <- struct{}{}
		select {
		case p.piece = <-p.got:
		case <-p.ctx.Done():
			return 0, p.ctx.Err()
		}
	}
	n := copy(b, p.piece.b)
	if p.piece.b = p.piece.b[n:]; len(p.piece.b) > 0 {
		return n, nil
	}
	return n, p.piece.err
}

// stop lets the goroutine end. Nothing may be read any more.
func (p *patientReader) stop() { close(p.ask) }
