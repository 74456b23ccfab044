package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// verbs are all of fmt's and some it does not know, with flags that change how
// a value is walked.
func verbs() (out []string) {
	for _, flags := range []string{"", "+", "#", " ", "0", "-", "# ", "8", "+8.3"} {
		for _, v := range "vTtbcdoOqxXUeEfFgGspwy!" {
			out = append(out, "%"+flags+string(v))
		}
	}
	return out
}

// traces are the ways in which a formatter, a marshaller or a logger could
// show four bytes in a row of key.
func traces(key []byte) (out []string) {
	for i := range len(key) - 4 {
		w := key[i : i+4]
		for _, v := range verbs() {
			if strings.ContainsAny(v, "Tp") {
				continue // the type, or the address
			}
			for _, s := range []string{fmt.Sprintf(v, w), fmt.Sprintf(v, [4]byte(w))} {
				s = strings.TrimPrefix(strings.TrimPrefix(s, "[]byte"), "[4]uint8")
				if s = strings.Trim(s, "[]{}\" "); len(s) > 6 {
					out = append(out, s)
				}
			}
		}
		out = append(out, string(w), fmt.Sprintf("%d,%d,%d,%d", w[0], w[1], w[2], w[3]))
	}
	for i := range len(key) - 6 {
		out = append(out, base64.StdEncoding.EncodeToString(key[i:i+6]), base64.URLEncoding.EncodeToString(key[i:i+6]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// leakKey has no two bytes alike and no long run that stands in other output.
func leakKey() []byte {
	b := make([]byte, KeySize)
	for i := range b {
		b[i] = byte(0x8f + 73*i)
	}
	return b
}

type named struct{ S Secret }
type hidden struct{ s Secret }
type deep struct {
	P    *hidden
	p    **Secret
	Any  any
	list []hidden
	m    map[string]named
}
type embedding struct{ Secret }
type signing struct {
	s Signer
	P *Signer
}

// carriers are values that hold the key in every position that a printer walks
// differently.
func carriers(t *testing.T) map[string]any {
	s := secret(t, leakKey())
	p := &s
	k := readerKey(t, s)
	signer := NewSigner(UserID{1}, s)
	principal := Principal{User: UserID{1}, kem: k}
	return map[string]any{
		"secret": s, "pointer": p, "pointer to pointer": &p,
		"field": named{s}, "unexported field": hidden{s}, "pointer to field": &named{s}, "pointer to unexported": &hidden{s},
		"deep": deep{&hidden{s}, &p, s, []hidden{{s}}, map[string]named{"k": {s}}}, "embedded": embedding{s},
		"slice": []Secret{s}, "array": [1]Secret{s}, "map": map[string]Secret{"k": s}, "any": []any{s, p},
		"grant": Grant{s, s, s}, "pointer to grant": &Grant{s, s, s},
		"signer": signer, "signer by value": *signer, "signers": signing{*signer, signer},
		"reader key": k, "pointer to reader key": &k, "reader keys": []ReaderKey{k},
		"principal": principal, "pointer to principal": &principal,
		"tokenizer": NewTokenizer(s),
		"cipher":    NewAEAD(s), "cipher in a struct": struct{ a any }{NewAEAD(s)},
		"error":  fmt.Errorf("with %v and %+v", s, hidden{s}),
		"joined": errors.Join(fmt.Errorf("%s", s), errors.New("x")),
	}
}

// plain is what a type that guards nothing would be.
type plain struct{ b [KeySize]byte }

func refuseLeak(t *testing.T, what, out string, all []string) {
	t.Helper()
	for _, trace := range all {
		if strings.Contains(out, trace) {
			t.Errorf("%s shows %q: %.200q", what, trace, out)
			return
		}
	}
}

func TestTracesAreFoundWhereNothingIsGuarded(t *testing.T) {
	all := traces(leakKey())
	found := func(out string) bool {
		for _, trace := range all {
			if strings.Contains(out, trace) {
				return true
			}
		}
		return false
	}
	bare := plain{[KeySize]byte(leakKey())}
	for _, v := range verbs() {
		if strings.ContainsAny(v, "Tp") || v == "%+8.3x" || v == "%+8.3X" || v == "%+8.3s" {
			continue // the type, the address, or three bytes at most
		}
		if out := fmt.Sprintf(v, bare); !found(out) {
			t.Errorf("%s: not found in %.200q", v, out)
		}
	}
	j, err := json.Marshal(leakKey())
	if err != nil || !found(string(j)) || !found(string(leakKey())) {
		t.Errorf("not found in JSON %s, or in the bytes themselves", j)
	}
}

func TestSecretsNeverPrint(t *testing.T) {
	all := traces(leakKey())
	for name, c := range carriers(t) {
		for _, v := range verbs() {
			refuseLeak(t, name+" as "+v, fmt.Sprintf(v, c), all)
			refuseLeak(t, name+" in an error as "+v, fmt.Errorf("at %d: "+v, 1, c).Error(), all)
		}
		refuseLeak(t, name, fmt.Sprint(c)+fmt.Sprintln(c), all)
	}
}

func TestSecretsNeverPanicInAMessage(t *testing.T) {
	defer func() {
		if r := recover(); r == nil {
			t.Error("no panic")
		} else {
			refuseLeak(t, "panic", fmt.Sprint(r), traces(leakKey()))
		}
	}()
	panic(secret(t, leakKey()))
}

func TestSecretsNeverLog(t *testing.T) {
	all := traces(leakKey())
	for name, c := range carriers(t) {
		var out bytes.Buffer
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			l := slog.New(h)
			l.Info("m", "k", c, slog.Group("g", "k", c))
			l.With("k", c).WithGroup("g").Info("m", slog.Any("list", []any{c}))
		}
		if out.Len() == 0 {
			t.Fatalf("%s: nothing logged", name)
		}
		refuseLeak(t, name, out.String(), all)
	}
	var out bytes.Buffer
	s := secret(t, leakKey())
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "k", s, "signer", NewSigner(UserID{}, s), "reader", readerKey(t, s))
	if n := strings.Count(out.String(), redacted); n != 3 {
		t.Errorf("%d of 3 say %s: %s", n, redacted, out.String())
	}
}

func TestSecretsNeverMarshal(t *testing.T) {
	all := traces(leakKey())
	for name, c := range carriers(t) {
		j, err := json.Marshal(c)
		refuseLeak(t, name+" as JSON", fmt.Sprint(string(j), err), all)
		x, err := xml.Marshal(c)
		refuseLeak(t, name+" as XML", fmt.Sprint(string(x), err), all)
		var g bytes.Buffer
		err = gob.NewEncoder(&g).Encode(c)
		refuseLeak(t, name+" as gob", fmt.Sprint(g.String(), err), all)
	}
}

func TestASecretInADocumentIsAnError(t *testing.T) {
	s := secret(t, leakKey())
	for name, c := range map[string]any{"secret": s, "pointer": &s, "field": named{s}, "embedded": embedding{s}, "map": map[string]Secret{"k": s}} {
		if _, err := json.Marshal(c); err == nil {
			t.Errorf("%s marshals as JSON", name)
		}
		if _, err := xml.Marshal(c); err == nil {
			t.Errorf("%s marshals as XML", name)
		}
		if err := gob.NewEncoder(new(bytes.Buffer)).Encode(c); err == nil {
			t.Errorf("%s marshals as gob", name)
		}
	}
}
