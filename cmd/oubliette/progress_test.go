package main

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// screen is what has been drawn so far.
type screen struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *screen) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// left is what a terminal shows when all of it has been drawn, on the last line.
func left(drawn string) string {
	var row []rune
	at := 0
	for _, r := range drawn {
		switch {
		case r == '\r':
			at = 0
			continue
		case r == '\n':
			row, at = nil, 0
			continue
		case at < len(row):
			row[at] = r
		default:
			row = append(row, r)
		}
		at++
	}
	return strings.TrimSpace(string(row))
}

func TestABarIsDrawnAndTakenAwayForGood(t *testing.T) {
	for name, c := range map[string]struct {
		total, step int64
		says        string
	}{
		"a length that is known":     {1000, 1, "0%"},
		"a length that is not known": {-1, 1, "work"},
		"nothing to tell of":         {-1, 0, "work"},
		"more than there should be":  {10, 11, ""},
		"no length at all":           {0, 1, ""},
	} {
		var s screen
		p := newProgress(&s, "work", c.total)
		for range 3 {
			p.add(c.step)
			time.Sleep(redraw * 3 / 2)
		}
		drawn := s.String()
		if !strings.Contains(drawn, c.says) {
			t.Errorf("%s: drawn is %q", name, drawn)
		}
		p.done()
		p.done()
		p.add(1)
		ended := s.String()
		time.Sleep(3 * redraw)
		if got := s.String(); got != ended || left(got) != "" {
			t.Errorf("%s: left is %q, and %q is drawn behind it", name, left(got), got[len(ended):])
		}
	}
	var none *progress
	none.add(1)
	none.done()
}
