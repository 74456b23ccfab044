package corpus

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// Seed is one input of a fuzz target: a name, and the values of the target's
// arguments in their order. They are of type []byte, string, bool, or an integer but
// rune.
type Seed struct {
	Name   string
	Values []any
}

// How the name of a seed begins that the code makes.
const (
	validPrefix   = "valid-"
	hostilePrefix = "hostile-"
)

// Valid is a seed that is taken.
func Valid(name string, values ...any) Seed { return Seed{validPrefix + name, values} }

// Hostile is a seed that is refused.
func Hostile(name string, values ...any) Seed { return Seed{hostilePrefix + name, values} }

// Bytes is the value at a place, of a seed that has bytes there.
func (s Seed) Bytes(i int) []byte { return s.Values[i].([]byte) }

// made tells whether the name is one that the code gives.
func (s Seed) made() bool {
	return strings.HasPrefix(s.Name, validPrefix) || strings.HasPrefix(s.Name, hostilePrefix)
}

// header is the first line of a seed's file. It is Go's format, version 1.
const header = "go test fuzz v1\n"

// encode is the file of a seed.
func (s Seed) encode() ([]byte, error) {
	b := bytes.NewBufferString(header)
	for _, v := range s.Values {
		switch v := v.(type) {
		case []byte:
			fmt.Fprintf(b, "[]byte(%q)\n", v)
		case string:
			fmt.Fprintf(b, "string(%q)\n", v)
		case byte:
			fmt.Fprintf(b, "byte(%q)\n", v)
		case int, int8, int16, int64, uint, uint16, uint32, uint64, bool:
			fmt.Fprintf(b, "%T(%v)\n", v, v)
		default:
			return nil, fmt.Errorf("seed %s: no value of type %T", s.Name, v)
		}
	}
	return b.Bytes(), nil
}

// decode reads the file of a seed.
func decode(name string, b []byte) (Seed, error) {
	s := Seed{Name: name}
	rest, ok := strings.CutPrefix(string(b), header)
	if !ok {
		return s, fmt.Errorf("seed %s: does not begin with %q", name, header)
	}
	for line := range strings.Lines(rest) {
		v, err := value(strings.TrimSpace(line))
		if err != nil {
			return s, fmt.Errorf("seed %s: %w", name, err)
		}
		s.Values = append(s.Values, v)
	}
	if len(s.Values) == 0 {
		return s, fmt.Errorf("seed %s: no values", name)
	}
	return s, nil
}

// value reads one line: a type and a literal in brackets.
func value(line string) (any, error) {
	bad := fmt.Errorf("not a value: %.60q", line)
	expr, err := parser.ParseExpr(line)
	if err != nil {
		return nil, bad
	}
	call, ok := expr.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return nil, bad
	}
	text, kind := literal(call.Args[0])
	if _, ok := call.Fun.(*ast.ArrayType); ok && kind == token.STRING {
		s, err := strconv.Unquote(text)
		return []byte(s), err
	}
	id, ok := call.Fun.(*ast.Ident)
	if !ok {
		return nil, bad
	}
	switch {
	case kind == token.STRING && id.Name == "string":
		return strconv.Unquote(text)
	case kind == token.CHAR && id.Name == "byte":
		s, err := strconv.Unquote(text)
		r := []rune(s)
		if err != nil || len(r) != 1 || r[0] > 0xFF {
			return nil, bad
		}
		return byte(r[0]), nil
	case kind == token.IDENT && id.Name == "bool":
		return strconv.ParseBool(text)
	case kind == token.INT:
		return integer(id.Name, text)
	}
	return nil, bad
}

// literal is the text of a literal, and what it is.
func literal(e ast.Expr) (string, token.Token) {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Value, e.Kind
	case *ast.Ident:
		return e.Name, token.IDENT
	case *ast.UnaryExpr:
		if l, ok := e.X.(*ast.BasicLit); ok && e.Op == token.SUB {
			return "-" + l.Value, l.Kind
		}
	}
	return "", token.ILLEGAL
}

// integer reads a number of a type.
func integer(kind, text string) (any, error) {
	bits := map[string]int{"int": 64, "int8": 8, "int16": 16, "int64": 64, "uint": 64, "uint16": 16, "uint32": 32, "uint64": 64}[kind]
	if bits == 0 {
		return nil, fmt.Errorf("no integer type %q", kind)
	}
	if strings.HasPrefix(kind, "u") {
		n, err := strconv.ParseUint(text, 0, bits)
		return map[string]any{"uint": uint(n), "uint16": uint16(n), "uint32": uint32(n), "uint64": n}[kind], err
	}
	n, err := strconv.ParseInt(text, 0, bits)
	return map[string]any{"int": int(n), "int8": int8(n), "int16": int16(n), "int64": n}[kind], err
}
