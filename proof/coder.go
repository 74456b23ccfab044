package proof

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// maxNumber is the largest number in a document: beyond it JSON readers that
// hold numbers as float64 take one for another (RFC 8259, section 6).
const maxNumber = 1<<53 - 1

// coder goes through the fields of a JSON text in the one order that they have,
// and writes them or reads them: each document names its fields once, for both.
//
// Reading writes, too: after each field, what would have been written so far has
// to be what stands there. So a text has one form, and every other spelling of
// it — another order, a field twice, more or fewer, white space, an escape, a
// digit in upper case — is refused at the field where it begins.
//
// It carries its first error along; behind it fields are neither read nor
// written.
type coder struct {
	out   []byte
	in    *json.Decoder // nil: writing
	text  []byte        // what is read
	same  int           // so many bytes of out have been held against text
	under string        // the path of the object that it is in
	cause error         // what errors wrap
	err   error
}

func writing() *coder { return &coder{cause: errUnfit} }

// reading reads text, which nothing has vouched for yet; every error wraps
// cause, unless it names another.
func reading(text []byte, cause error) *coder {
	in := json.NewDecoder(bytes.NewReader(text))
	in.UseNumber()
	return &coder{in: in, text: text, cause: cause}
}

func (c *coder) fail(name, format string, args ...any) {
	c.failAs(c.cause, name, format, args...)
}

func (c *coder) failAs(cause error, name, format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%s: %s: %w", c.under+name, fmt.Sprintf(format, args...), cause)
	}
}

// put writes a piece of text and holds it against what stands there.
func (c *coder) put(name, piece string) {
	if c.err != nil {
		return
	}
	c.out = append(c.out, piece...)
	if c.in != nil && !bytes.HasPrefix(c.text[c.same:], c.out[c.same:]) {
		c.fail(name, "not in its one form")
		return
	}
	c.same = len(c.out)
}

// next reads a token; false: writing, or nothing more is to be done.
func (c *coder) next(name string) (json.Token, bool) {
	if c.in == nil || c.err != nil {
		return nil, false
	}
	t, err := c.in.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		c.fail(name, "%v", err)
	}
	return t, err == nil
}

// key goes to a field of the object.
func (c *coder) key(name string) {
	if t, ok := c.next(name); ok && t != name {
		c.fail(name, "%v stands in its place", t)
	}
	comma := ","
	if n := len(c.out); n > 0 && c.out[n-1] == '{' {
		comma = ""
	}
	c.put(name, comma+quote(name)+":")
}

// delim reads or writes one of the four brackets.
func (c *coder) delim(name string, d json.Delim) {
	if t, ok := c.next(name); ok && t != d {
		c.fail(name, "%v instead of %v", t, d)
	}
	c.put(name, d.String())
}

// end holds that nothing stands behind the last field.
func (c *coder) end() error {
	if c.err == nil && c.in != nil && c.same != len(c.text) {
		c.fail("the end", "%d bytes behind it", len(c.text)-c.same)
	}
	return c.err
}

// object goes through the fields of an object that stands alone or as an element
// of a list.
func (c *coder) object(name string, fields func()) {
	c.delim(name, '{')
	outer := c.under
	if name != "" {
		c.under += name + "."
	}
	fields()
	c.under = outer
	if t, ok := c.next(name); ok && t != json.Delim('}') {
		c.fail(fmt.Sprint(t), "no field of %s", describe(c.under+name))
	}
	c.put(name, "}")
}

func describe(path string) string {
	if path == "" {
		return "the text"
	}
	return path
}

// list goes through a list of so many elements; one takes an element, and n is
// how many there are to write.
func (c *coder) list(name string, n, least, most int, one func(i int, name string)) {
	c.key(name)
	c.delim(name, '[')
	i := 0
	for ; c.err == nil && (c.in == nil && i < n || c.in != nil && c.in.More()); i++ {
		if i == most {
			c.fail(name, "more than %d elements", most)
			return
		}
		if i > 0 {
			c.put(name, ",")
		}
		one(i, fmt.Sprintf("%s[%d]", name, i))
	}
	if i < least {
		c.fail(name, "%d elements, not %d", i, least)
	}
	c.delim(name, ']')
}

// str reads a string.
func (c *coder) str(name string) (string, bool) {
	t, ok := c.next(name)
	s, is := t.(string)
	if ok && !is {
		c.fail(name, "%v is no string", t)
	}
	return s, ok && is
}

// value reads or writes a string as text that parse and print agree on.
func (c *coder) value(name string, parse func(string) error, print func() string) {
	c.key(name)
	if s, ok := c.str(name); ok {
		if err := parse(s); err != nil {
			c.fail(name, "%v", err)
		}
	}
	if c.err == nil {
		c.put(name, quote(print()))
	}
}

func (c *coder) string(name string, s *string) {
	c.value(name, func(in string) error { *s = in; return nil }, func() string { return *s })
}

// constant is a string that is always the same.
func (c *coder) constant(name, want string) {
	c.value(name, func(in string) error {
		if in != want {
			return fmt.Errorf("%q, not %q", in, want)
		}
		return nil
	}, func() string { return want })
}

// hex is bytes in lower-case digits; there are len(b).
func (c *coder) hex(name string, b []byte) {
	c.value(name, func(in string) error {
		if len(in) != 2*len(b) {
			return fmt.Errorf("%d characters, not %d", len(in), 2*len(b))
		}
		_, err := hex.Decode(b, []byte(in))
		return err
	}, func() string { return hex.EncodeToString(b) })
}

// base64 is bytes in standard base64, padded.
func (c *coder) base64(name string, b *[]byte) {
	c.value(name, func(in string) (err error) {
		*b, err = base64.StdEncoding.DecodeString(in)
		return err
	}, func() string { return base64.StdEncoding.EncodeToString(*b) })
}

// number is a number from 0 to maxNumber in decimal digits.
func (c *coder) number(name string, n *uint64) {
	c.key(name)
	if t, ok := c.next(name); ok {
		digits, is := t.(json.Number)
		v, err := strconv.ParseUint(string(digits), 10, 64)
		if !is || err != nil {
			c.fail(name, "%v is no whole number", t)
		}
		*n = v
	}
	if *n > maxNumber {
		c.fail(name, "%d, at most %d", *n, maxNumber)
	}
	c.put(name, strconv.FormatUint(*n, 10))
}

// version is that of every text so far.
func (c *coder) version() {
	n := uint64(1)
	c.number("version", &n)
	if n != 1 {
		c.fail("version", "%d, not 1", n)
	}
}

// time is an instant in RFC 3339, in UTC with "Z", with as many digits behind
// the second as it needs and nine at most.
func (c *coder) time(name string, t *time.Time) {
	c.value(name, func(in string) (err error) {
		*t, err = time.Parse(time.RFC3339Nano, in)
		return err
	}, func() string { return t.UTC().Format(time.RFC3339Nano) })
	if y := t.UTC().Year(); y < 1 || y > 9999 || t.IsZero() {
		c.fail(name, "no time")
	}
}

// optional goes through a field that is null when it is not there. there says
// whether there is one to write, the answer whether there is one. The field is
// not the first of its object.
func (c *coder) optional(name string, there bool, field func()) bool {
	if c.in != nil {
		there = !bytes.HasPrefix(c.text[c.same:], []byte(","+quote(name)+":null"))
	}
	if there {
		field()
		return true
	}
	c.key(name)
	c.next(name) // the null that was seen
	c.put(name, "null")
	return false
}

// quote is s as a JSON string; only what JSON demands is escaped, and the line
// separators U+2028 and U+2029.
func quote(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(s); err != nil {
		panic("a string always encodes: " + err.Error())
	}
	return string(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
