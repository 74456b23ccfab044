package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// writeJSON writes one value as one line.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// output marks what goes wrong with standard output as such.
type output struct{ io.Writer }

func (o output) Write(b []byte) (int, error) {
	n, err := o.Writer.Write(b)
	if err != nil {
		err = fmt.Errorf("%w: %w", errOutput, err)
	}
	return n, err
}

// page is lines that are written together: they arrive, or one error says that
// they did not.
type page struct{ bytes.Buffer }

// line adds a label and what belongs to it, aligned.
func (p *page) line(label, format string, args ...any) {
	fmt.Fprintf(p, "%-15s%s\n", label, fmt.Sprintf(format, args...))
}

// print writes a page to standard output.
func (a *app) print(p *page) error {
	_, err := a.stdout.Write(p.Bytes())
	return err
}

// printLine is print for a page of one line.
func (a *app) printLine(label, format string, args ...any) error {
	var p page
	p.line(label, format, args...)
	return a.print(&p)
}

// number writes n with commas between thousands.
func number[T ~int | ~int64 | ~uint64](n T) string {
	s := strconv.FormatInt(int64(n), 10)
	neg := strings.TrimLeft(s, "-")
	sign := s[:len(s)-len(neg)]
	for at := len(neg) - 3; at > 0; at -= 3 {
		neg = neg[:at] + "," + neg[at:]
	}
	return sign + neg
}

// count is number with a noun, in the plural where it belongs.
func count[T ~int | ~int64 | ~uint64](n T, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if strings.HasSuffix(noun, "x") || strings.HasSuffix(noun, "ch") || strings.HasSuffix(noun, "ss") {
		return number(n) + " " + noun + "es"
	}
	return number(n) + " " + noun + "s"
}

// size writes bytes in the decimal unit that suits them.
func size[T ~int | ~int64 | ~uint64](n T) string {
	f := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if f < 999.95 {
			if unit == "B" {
				return fmt.Sprintf("%d B", int64(n))
			}
			return fmt.Sprintf("%.1f %s", f, unit)
		}
		f /= 1000
	}
	return fmt.Sprintf("%.1f TB", f)
}

// took writes a duration with three figures.
func took(d time.Duration) string {
	switch {
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d µs", d.Microseconds())
}

// rate is how many of n a second; 0 when no time has passed.
func rate[T ~int | ~int64](n T, d time.Duration) float64 {
	if d <= 0 {
		return 0
	}
	return float64(n) / d.Seconds()
}
