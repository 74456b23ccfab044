package crypto

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
)

// The text is what openssl prints for the public half of RFC 8032's test 1:
//
//	(printf '\60\56\2\1\0\60\5\6\3\53\145\160\4\42\4\40'; printf SEED | xxd -r -p) | openssl pkey -inform DER -pubout
const keyPEM = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
`

func TestPEMIsWhatOpensslPrints(t *testing.T) {
	v := load[struct{ Public hexBytes }](t, "sign.json")
	key := VerifyKey(v.Public)
	if got := string(key.PEM()); got != keyPEM {
		t.Errorf("%s\nwant %s", got, keyPEM)
	}
	for _, text := range []string{keyPEM, strings.ReplaceAll(keyPEM, "\n", "\r\n"), "\n " + keyPEM + "\n\n"} {
		if got, err := ParsePEM([]byte(text)); err != nil || got != key {
			t.Errorf("%q: %x, %v", text, got, err)
		}
	}
}

func TestParsePEMRefusesWhatIsNoKey(t *testing.T) {
	der := func(pub any) []byte {
		b, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block := func(name string, headers map[string]string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: name, Headers: headers, Bytes: b}))
	}
	good, _ := pem.Decode([]byte(keyPEM))
	for text, want := range map[string]string{
		"":                                    "not PEM",
		"x" + keyPEM:                          "not PEM",
		keyPEM + keyPEM:                       "something beside",
		keyPEM + "x":                          "something beside",
		"-----BEGIN X-----\n" + keyPEM:        "something beside",
		keyPEM[:60]:                           "not PEM",
		strings.Repeat(" ", 1025):             "at most 1024",
		block("PRIVATE KEY", nil, good.Bytes): `"PRIVATE KEY"`,
		block("PUBLIC KEY", map[string]string{"a": "b"}, good.Bytes): "something beside",
		block("PUBLIC KEY", nil, good.Bytes[1:]):                     "public key: ",
		block("PUBLIC KEY", nil, append(bytes.Clone(good.Bytes), 0)): "public key: ",
		block("PUBLIC KEY", nil, der(&other.PublicKey)):              "not Ed25519",
		string(VerifyKey{}.PEM()):                                    "small order",
		string(VerifyKey{1}.PEM()):                                   "small order",
	} {
		if k, err := ParsePEM([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || k != (VerifyKey{}) {
			t.Errorf("%q: %x, %v, want an error with %q", text, k, err, want)
		}
	}
}
