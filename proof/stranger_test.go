package proof

import (
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// strangerCheck is what docs/format/proof.md says, by the standard library alone.
func strangerCheck(doc []byte, kind string, root ed25519.PublicKey) (map[string]any, error) {
	body, err := strangerOpen(doc, kind, root)
	if err == nil {
		return body, nil
	}
	if body == nil || body["listing"] == nil {
		return nil, err
	}
	listing, err := json.Marshal(body["listing"])
	if err != nil {
		return nil, err
	}
	listed, err := strangerOpen(listing, "application/vnd.oubliette.listing.v1+json", root)
	if err != nil {
		return nil, err
	}
	for _, field := range []string{"index", "epoch", "user"} {
		if listed[field] != body[field] {
			return nil, fmt.Errorf("listed for another %s", field)
		}
	}
	key, err := hex.DecodeString(listed["key"].(string))
	if err != nil {
		return nil, err
	}
	return strangerOpen(doc, kind, key)
}

// strangerOpen answers the body also beside an error.
func strangerOpen(doc []byte, kind string, key ed25519.PublicKey) (body map[string]any, err error) {
	var e struct {
		PayloadType, Payload string
		Signatures           []struct{ Sig string }
	}
	if err := json.Unmarshal(doc, &e); err != nil {
		return nil, err
	}
	payload, err1 := base64.StdEncoding.DecodeString(e.Payload)
	sig, err2 := base64.StdEncoding.DecodeString(e.Signatures[0].Sig)
	if err := errors.Join(err1, err2, json.Unmarshal(payload, &body)); err != nil {
		return nil, err
	}
	signed := fmt.Sprintf("DSSEv1 %d %s %d %s", len(kind), kind, len(payload), payload)
	if e.PayloadType != kind || !ed25519.Verify(key, []byte(signed), sig) {
		return body, errors.New("signature does not fit")
	}
	return body, nil
}

func TestAStrangerVerifiesByThePageAlone(t *testing.T) {
	w := newWorld(t)
	block, _ := pem.Decode(file(t, "testdata", "root.pem"))
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	root := parsed.(ed25519.PublicKey)
	other, _, _ := ed25519.GenerateKey(nil)
	for name := range w.documents() {
		short, _, _ := strings.Cut(name, "-")
		kind := "application/vnd.oubliette." + short + ".v1+json"
		body, err := strangerCheck(document(t, name), kind, root)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := strangerCheck(document(t, name), kind, other); err == nil {
			t.Errorf("%s verifies under another root", name)
		}
		if body["type"] != short {
			t.Errorf("%s: %v", name, body)
		}
		if short != "receipt" {
			continue
		}
		if got := strangerDigest(t, body["salt"].(string), w.ids); got != body["digest"] {
			t.Errorf("%s: digest %s, the ids give %s", name, body["digest"], got)
		}
	}
	// What Signer makes verifies by the same words.
	doc, err := w.signer(t, w.writer).Receipt(w.receipt(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := strangerCheck(doc, "application/vnd.oubliette.receipt.v1+json", root); err != nil {
		t.Error(err)
	}
}

func strangerDigest(t *testing.T, salt string, ids []string) string {
	sealed := unmarshal[struct {
		Grants []struct {
			IDKey string `json:"id_key"`
		}
	}](t, file(t, "..", "crypto", "testdata", "sealed.json"))
	var tokens []string
	for _, id := range ids {
		mac := hmac.New(sha256.New, unhex(t, sealed.Grants[2].IDKey))
		mac.Write([]byte(id))
		tokens = append(tokens, string(mac.Sum(nil)[:16]))
	}
	slices.Sort(tokens)
	sum := sha256.Sum256([]byte("oubliette/receipt/tokens/v1" + string(unhex(t, salt)) + strings.Join(tokens, "")))
	return hex.EncodeToString(sum[:])
}

func block(t *testing.T, name string) string {
	t.Helper()
	page := string(file(t, "..", "docs", "format", "proof.md"))
	_, rest, ok := strings.Cut(page, "\n```"+name+"\n")
	text, _, end := strings.Cut(rest, "\n```\n")
	if !ok || !end {
		t.Fatalf("no block %q in the page", name)
	}
	return text
}

// The commands of the page run as they stand there.
func TestTheCommandsOfThePageRun(t *testing.T) {
	version, err := exec.Command("openssl", "version").Output()
	if err != nil || !strings.HasPrefix(string(version), "OpenSSL 3.") {
		t.Skipf("no openssl 3: %s %v", version, err)
	}
	for _, tool := range []string{"sh", "jq", "xxd", "base64"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	run := func(document, commands string) (string, error) {
		data, err := filepath.Abs("testdata")
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("sh", "-eu", "-c", fmt.Sprintf("cp '%s/root.pem' .\ncp '%s/%s.json' receipt.json\n%s\n%s", data, data, document, block(t, "sh functions"), commands))
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for document, want := range map[string]string{
		"receipt-root": "Signature Verified Successfully\ntrue\n",
		"receipt-user": "Signature Verified Successfully\nSignature Verified Successfully\ntrue\n",
	} {
		if out, err := run(document, block(t, "sh "+document[len("receipt-"):])); err != nil || out != want {
			t.Errorf("%s: %v\n%s", document, err, out)
		}
	}
	if out, err := run("receipt-user", block(t, "sh root")); err == nil {
		t.Errorf("a user's receipt passes for root's:\n%s", out)
	}
	if out, err := run("certificate-root", block(t, "sh root")); err == nil {
		t.Errorf("a certificate passes for a receipt:\n%s", out)
	}
}

// The examples of the page are the documents, and its table has every statement.
func TestThePageShowsTheDocuments(t *testing.T) {
	for _, name := range []string{"receipt-user", "certificate-root"} {
		_, body := bodyOf(t, document(t, name))
		var shown, want any
		if err := errors.Join(json.Unmarshal([]byte(block(t, "json "+name)), &shown), json.Unmarshal(body, &want)); err != nil {
			t.Fatal(err)
		}
		if a, b := fmt.Sprint(shown), fmt.Sprint(want); a != b {
			t.Errorf("%s: the page shows\n%s\nwant\n%s", name, a, b)
		}
	}
	page := string(file(t, "..", "docs", "format", "proof.md"))
	for _, l := range NotCovered() {
		if row := fmt.Sprintf("\n| `%s` | %s |\n", l.Code, l.Text); !strings.Contains(page, row) {
			t.Errorf("the page has no row for %s", l.Code)
		}
	}
	for _, kind := range copying {
		if !strings.Contains(page, "`"+kind+"`") || OverwritesInPlace(kind) {
			t.Errorf("the page does not have %s", kind)
		}
	}
	if !strings.Contains(page, string(file(t, "testdata", "root.pem"))) {
		t.Error("the page shows another public key")
	}
}
