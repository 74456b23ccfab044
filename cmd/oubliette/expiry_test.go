package main

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestItemsExpire(t *testing.T) {
	c := initialised(t)
	past := time.Now().Add(-time.Hour).Format(time.RFC3339)
	c.keyedOK(fmt.Sprintf(`{"id": "stays"}
{"id": "later", "contents": "x", "expires_at": "2999-12-31T23:59:59.1239+01:00"}
{"id": "past", "expires_at": %q}
{"id": "none", "expires_at": null}
`, past), "upsert")
	if ids := strings.Fields(c.keyedOK("", "ls")); len(ids) != 3 {
		t.Errorf("ls: %q", ids)
	}
	if out := c.keyedOK("", "get", "later", "stays"); out != `{"id":"later","contents":"x","expires_at":"2999-12-31T22:59:59.123Z"}`+"\n"+`{"id":"stays"}`+"\n" {
		t.Errorf("get: %s", out)
	}
	c.fails(c.keyed("", "get", "past"), exitNotFound, "past")
	if out := c.keyedOK("", "ls", "--long"); !strings.Contains(out, "       -          1          - 2999-12-31T22:59:59.123Z  later\n") {
		t.Errorf("ls --long: %s", out)
	}
	if out := c.keyedOK("", "ls", "--json"); !strings.Contains(out, `{"id":"later","expires_at":"2999-12-31T22:59:59.123Z"}`) {
		t.Errorf("ls --json: %s", out)
	}
	// What get prints, upsert takes.
	c.keyedOK(c.keyedOK("", "get", "later"), "upsert")
	report := decode[reportJSON](t, c.keyedOK("", "check", "--json"))
	if !report.OK || report.Rows != 3 {
		t.Errorf("check: %+v", report)
	}
}

func TestABadExpiryIsNamedByItsLine(t *testing.T) {
	c := initialised(t)
	for bad, says := range map[string]string{
		`"tomorrow"`:                  "RFC 3339",
		`"2030-01-31"`:                "RFC 3339",
		`"2030-01-31T12:00:00"`:       "RFC 3339",
		`"2030-02-31T12:00:00Z"`:      "RFC 3339",
		`1893456000`:                  "RFC 3339",
		`"1970-01-01T00:00:00Z"`:      "between the years 1970 and 9999",
		`"0001-01-01T00:00:00Z"`:      "between the years 1970 and 9999",
		`"9999-12-31T23:59:59-01:00"`: "between the years 1970 and 9999",
	} {
		r := c.keyed("{\"id\": \"a\"}\n{\"id\": \"b\", \"expires_at\": "+bad+"}\n", "upsert")
		c.fails(r, exitUsage, "line 2", `"expires_at"`, says)
	}
	if out := c.keyedOK("", "ls"); out != "" {
		t.Errorf("something was put in: %s", out)
	}
}
