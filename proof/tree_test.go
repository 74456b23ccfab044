package proof

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// node is a part of a JSON text that keeps order and duplicates, so that a test
// can put wrong texts together.
type node struct {
	leaf string // as it stands there; empty in objects and lists
	list bool
	keys []string // of an object, as they stand there
	subs []*node
}

func parse(t testing.TB, text []byte) *node {
	t.Helper()
	if !json.Valid(text) {
		t.Fatalf("no JSON: %s", text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return parseNode(d)
}

func parseNode(d *json.Decoder) *node {
	tok, _ := d.Token()
	n := new(node)
	switch v := tok.(type) {
	case json.Delim:
		n.list = v == '['
		for d.More() {
			if !n.list {
				key, _ := d.Token()
				n.keys = append(n.keys, quote(key.(string)))
			}
			n.subs = append(n.subs, parseNode(d))
		}
		_, _ = d.Token()
	case string:
		n.leaf = quote(v)
	default:
		b, _ := json.Marshal(v)
		n.leaf = string(b)
	}
	return n
}

func (n *node) String() string {
	if n.leaf != "" {
		return n.leaf
	}
	var parts []string
	for i, s := range n.subs {
		if n.list {
			parts = append(parts, s.String())
		} else {
			parts = append(parts, n.keys[i]+":"+s.String())
		}
	}
	if n.list {
		return "[" + strings.Join(parts, ",") + "]"
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// mutant is a text with one change. Shape: no signer may write it.
type mutant struct {
	what  string
	text  []byte
	shape bool
}

// mutants are all texts that differ from text in one place: each value another
// or of another type, each field and element left out, twice, under another name,
// at another place, one more.
func mutants(t testing.TB, text []byte) (out []mutant) {
	root := parse(t, text)
	if root.String() != string(text) {
		t.Fatalf("parses to\n%s\nand was\n%s", root, text)
	}
	add := func(shape bool, format string, args ...any) {
		out = append(out, mutant{fmt.Sprintf(format, args...), []byte(root.String()), shape})
	}
	var walk func(n *node, path string)
	walk = func(n *node, path string) {
		was := *n
		if n.leaf != "" {
			for _, leaf := range otherLeaves(n.leaf) {
				n.leaf = leaf
				add(false, "%s is %.40s", path, leaf)
			}
			for _, spelling := range otherSpellings(was.leaf) {
				n.leaf = spelling
				add(true, "%s is spelled %.40s", path, spelling)
			}
			*n = was
			return
		}
		for i, s := range was.subs {
			name := fmt.Sprintf("%s[%d]", path, i)
			if !n.list {
				name = path + "." + strings.Trim(n.keys[i], `"`)
			}
			n.subs, n.keys = slices.Delete(slices.Clone(was.subs), i, i+1), without(was.keys, i)
			add(!n.list, "%s left out", name)
			n.subs, n.keys = slices.Insert(slices.Clone(was.subs), i, s), with(was.keys, i)
			add(true, "%s twice", name)
			if !n.list {
				for _, key := range []string{`"` + strings.ToUpper(strings.Trim(was.keys[i], `"`)) + `"`, `"other"`, `"\u00` + fmt.Sprintf("%02x", was.keys[i][1]) + was.keys[i][2:]} {
					n.subs, n.keys = was.subs, slices.Clone(was.keys)
					n.keys[i] = key
					add(true, "%s renamed %s", name, key)
				}
			}
			if i > 0 {
				n.subs, n.keys = swapped(was.subs, i), swapped(was.keys, i)
				add(true, "%s before its turn", name)
			}
			*n = was
			walk(s, name)
		}
		for _, i := range []int{0, len(was.subs)} {
			n.subs, n.keys = slices.Insert(slices.Clone(was.subs), i, &node{leaf: "1"}), slices.Clone(was.keys)
			if !n.list {
				n.keys = slices.Insert(n.keys, i, `"more"`)
			}
			add(true, "%s with more at %d", path, i)
		}
		*n = node{leaf: "null"}
		add(path != ".listing", "%s is null", path)
		*n = was
	}
	walk(root, "")
	for what, change := range map[string]string{"space before": " " + string(text), "line behind": string(text) + "\n", "more behind": string(text) + "{}", "BOM": "\xef\xbb\xbf" + string(text)} {
		out = append(out, mutant{what, []byte(change), true})
	}
	return out
}

func without(keys []string, i int) []string {
	if keys == nil {
		return nil
	}
	return slices.Delete(slices.Clone(keys), i, i+1)
}

func with(keys []string, i int) []string {
	if keys == nil {
		return nil
	}
	return slices.Insert(slices.Clone(keys), i, keys[i])
}

func swapped[T any](s []T, i int) []T {
	if s == nil {
		return nil
	}
	s = slices.Clone(s)
	s[i-1], s[i] = s[i], s[i-1]
	return s
}

// otherLeaves are other values in the place of one.
func otherLeaves(leaf string) []string {
	others := []string{"0", "7", "9007199254740992", "true", "null", `""`, `"x"`, "{}", "[]"}
	if s, ok := strings.CutPrefix(leaf, `"`); ok && len(s) > 1 {
		first, last := byte('0'), byte('1')
		if s[0] == '0' {
			first = '1'
		}
		if s[len(s)-2] == '1' {
			last = '0'
		}
		others = append(others, `"`+string(first)+s[1:], leaf[:len(leaf)-2]+string(last)+`"`, leaf[:len(leaf)-2]+`"`, leaf[:len(leaf)-1]+`0"`, leaf[:len(leaf)-1]+`\n"`)
	}
	return slices.DeleteFunc(others, func(o string) bool { return o == leaf })
}

// otherSpellings are the same value, as far as JSON, hexadecimal digits, times
// and base64 go, in another form.
func otherSpellings(leaf string) []string {
	s, ok := strings.CutPrefix(leaf, `"`)
	if !ok {
		if leaf[0] >= '0' && leaf[0] <= '9' {
			return []string{" " + leaf, leaf + " ", leaf + ".0", leaf + "e0", `"` + leaf + `"`}
		}
		return []string{" " + leaf}
	}
	out := []string{" " + leaf, leaf + "\n"}
	if len(s) > 1 {
		out = append(out, fmt.Sprintf(`"\u%04x%s`, s[0], s[1:]))
	}
	if up := strings.ToUpper(leaf); up != leaf && isHex(s[:len(s)-1]) {
		out = append(out, up)
	}
	if bare, ok := strings.CutSuffix(leaf, `Z"`); ok && strings.Contains(leaf, "T") {
		out = append(out, bare+`+00:00"`, bare+`-00:00"`, bare+`z"`, bare+`.0Z"`, bare+`0Z"`, strings.ReplaceAll(leaf, ".", ","), strings.ToLower(leaf))
	}
	return slices.DeleteFunc(out, func(o string) bool { return o == leaf })
}

func isHex(s string) bool { return len(s) >= 32 && strings.Trim(s, "0123456789abcdef") == "" }
