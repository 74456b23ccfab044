package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// lineReader reads lines of a bounded length and counts them.
type lineReader struct {
	r      *bufio.Reader
	max    int // bytes of a line, without its end
	number int // of the line read last, from 1 on
	buf    []byte
	ahead  *lineRead // nil: next has to read
}

// lineRead is a line, or why there is none.
type lineRead struct {
	line []byte
	err  error
}

func newLineReader(r io.Reader, max int) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10), max: max}
}

// await waits until the next line is there, or its absence is known.
func (l *lineReader) await() error {
	line, err := l.read()
	l.ahead = &lineRead{line, err}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// next answers the next line without its end ("\n" or "\r\n"), io.EOF behind the
// last. The line is good until the next call.
func (l *lineReader) next() ([]byte, error) {
	if a := l.ahead; a != nil {
		l.ahead = nil
		return a.line, a.err
	}
	return l.read()
}

func (l *lineReader) read() ([]byte, error) {
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if len(l.buf)+len(part) > l.max+2 {
			l.number++
			return nil, &lineError{l.number, fmt.Errorf("%w: longer than %s bytes", errInput, number(l.max))}
		}
		l.buf = append(l.buf, part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(l.buf) == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, fmt.Errorf("reading line %d: %w", l.number+1, err)
		}
		l.number++
		return bytes.TrimSuffix(bytes.TrimSuffix(l.buf, []byte("\n")), []byte("\r")), nil
	}
}
