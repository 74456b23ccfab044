package main

import (
	"strings"
	"testing"

	"oubliette/engine"
)

func TestAUserIDIsReadOrSaidWhatIsWrongWithIt(t *testing.T) {
	const digits = "00112233445566778899aabbccddeeff"
	for _, s := range []string{digits, strings.ToUpper(digits)} {
		for _, parse := range []func(string) (engine.UserID, error){parseUserID, parsePrincipal} {
			if id, err := parse(s); err != nil || id.String() != digits {
				t.Errorf("%s: %v, %v", s, id, err)
			}
		}
	}
	if id, err := parsePrincipal("root"); err != nil || id != (engine.UserID{}) {
		t.Errorf("root: %v, %v", id, err)
	}
	for s, says := range map[string]string{
		"":                                     "0 hexadecimal digits",
		digits[1:]:                             "31 hexadecimal digits: a user's id has 32",
		digits + "0":                           "33 hexadecimal digits: a user's id has 32",
		digits[:1]:                             "1 hexadecimal digit:",
		"00112233-4455-6677-8899-aabbccddeeff": `'-' at place 9 is no hexadecimal digit`,
		digits[:31] + "x":                      `'x' at place 32`,
		"ü" + digits[1:]:                       `'ü' at place 1`,
		"0ü\n":                                 `'ü' at place 2`,
		"\xff":                                 `'�' at place 1`,
		" " + digits:                           `' ' at place 1`,
		"Root":                                 `'R' at place 1`,
		strings.Repeat("0", 32):                "which is root's",
		digits + digits:                        errKeyLike.Error(),
	} {
		for _, parse := range []func(string) (engine.UserID, error){parseUserID, parsePrincipal} {
			_, err := parse(s)
			if err == nil || !strings.Contains(err.Error(), says) || len(s) > 4 && strings.Contains(err.Error(), s) {
				t.Errorf("%q: %v", s, err)
			}
		}
	}
	if _, err := parseUserID("root"); err == nil || !strings.Contains(err.Error(), "root is none") {
		t.Errorf("root: %v", err)
	}
}
