package main

import (
	"strings"
	"testing"
)

func TestHalfASurrogatePairIsRefused(t *testing.T) {
	for raw, half := range map[string]bool{
		`""`:                      false,
		`"\ud83d\ude00"`:          false,
		`"\uD83D\uDE00x"`:         false,
		`"\ufffd"`:                false,
		"\"\uFFFD\"":              false,
		`"\\ud800"`:               false,
		`"\\\\ud800\""`:           false,
		`"\\\ud83d\ude00"`:        false,
		`"\ud800"`:                true,
		`"\uDC00"`:                true,
		`"\ud800x"`:               true,
		`"\ud800\\udc00"`:         true,
		`"\ud800\n"`:              true,
		`"\ud800\u0041"`:          true,
		`"\ud800\ud800\udc00"`:    true,
		`"\udc00\ud800"`:          true,
		`"\\\ud800"`:              true,
		`"\\ufffd\ud800"`:         true,
		`"\\uFFFD \ufffd \ud800"`: true,
		"\"\uFFFD\\ud800\"":       true,
		`"\ud83d\ude00\ud83d"`:    true,
	} {
		_, err := text([]byte(raw))
		if refused := err != nil && strings.Contains(err.Error(), "half of a surrogate pair"); refused != half || (err != nil) != half {
			t.Errorf("%s: %v", raw, err)
		}
	}
}
