package main

import (
	"strconv"
	"unicode/utf16"
)

// halfSurrogate tells whether a JSON string, as it stands in the text with its
// quotes, has an escape that is half of a surrogate pair without the other. The
// string is one that has been decoded without an error, so every escape is
// whole.
func halfSurrogate(raw []byte) bool {
	for at := 0; at < len(raw); {
		if raw[at] != '\\' {
			at++
			continue
		}
		r, ok := escaped(raw[at:])
		if !ok {
			at += 2 // of two characters, the second of which may be a backslash
			continue
		}
		at += 6
		if !utf16.IsSurrogate(r) {
			continue
		}
		low, ok := escaped(raw[at:])
		if !ok || utf16.DecodeRune(r, low) == '\uFFFD' {
			return true
		}
		at += 6
	}
	return false
}

// escaped is the code unit of a \u escape at the beginning of b.
func escaped(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
	return rune(n), err == nil
}
