package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"oubliette/engine"
	"oubliette/proof"
)

// withKey is the key in the command's key file.
func (c *cli) withKey() engine.Key {
	c.Helper()
	key, err := engine.ParseKey(strings.TrimSpace(string(c.read("key"))))
	if err != nil {
		c.Fatal(err)
	}
	return key
}

// crashed deletes ids, notes the receipt in a file of that name, and leaves the
// store as a process that dies then leaves it.
func (c *cli) crashed(receipt string, ids ...string) {
	c.Helper()
	c.holdOpen(func(db *engine.DB) {
		ix, err := db.LoadIndex(context.Background(), "default", engine.WithIndexKey(c.withKey()))
		if err != nil {
			c.Fatal(err)
		}
		r, err := ix.Delete(context.Background(), ids)
		if err != nil {
			c.Fatal(err)
		}
		doc, err := ix.SignReceipt(context.Background(), r)
		if err == nil {
			err = os.CopyFS(c.path("crashed"), os.DirFS(c.env[envStore]))
		}
		if err != nil {
			c.Fatal(err)
		}
		c.write(receipt, doc)
	})
	c.env[envStore] = c.path("crashed")
}

// nothingBeside wants no file that was to get another name.
func (c *cli) nothingBeside() {
	c.Helper()
	for _, name := range c.files() {
		if strings.HasSuffix(name, ".creating") {
			c.Errorf("%s is left", name)
		}
	}
}

func TestADocumentIsNeverOverwrittenNorWrittenInPart(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	c.write("there", []byte("something"))
	for _, args := range [][]string{
		{"delete", "a", "--receipt", c.path("there")}, {"delete", "a", "--receipt", c.path("no/folder")}, {"delete", "a", "--receipt", c.dir},
		{"purge", "--certificate", c.path("there")}, {"purge", "--certificate", c.path("no/folder")},
	} {
		c.fails(c.keyed("", args...), exitFailure, args[len(args)-2]+": ")
	}
	c.fails(c.keyed("", "delete", "a", "--receipt", "-"), exitUsage, "--receipt -")
	if got := c.ids(); len(got) != 3 || string(c.read("there")) != "something" {
		t.Errorf("left are %v, and in the file %q", got, c.read("there"))
	}
	c.keyedOK("", "delete", "a", "--receipt", c.path("receipt"))
	c.fails(c.keyed("", "status", c.path("receipt"), "--certificate", c.path("receipt")), exitFailure, "is there already")
	c.keyedOK("", "delete", "-", "--receipt", c.path("of nothing"))
	if _, err := os.Stat(c.path("of nothing")); err == nil {
		t.Error("a receipt of no delete")
	}
	c.fails(c.keyed("", "delete", "b", "--index", "nowhere", "--receipt", c.path("none")), exitNotFound)
	if _, err := os.Stat(c.path("none")); err == nil {
		t.Error("a receipt of no delete")
	}
	c.nothingBeside()
}

// Somebody else makes a file of that name after it was looked for.
func TestAFileOfTheSameNameThatComesMeanwhileStays(t *testing.T) {
	c := newCLI(t)
	f, err := reserve(c.path("receipt"), "receipt")
	if err != nil {
		t.Fatal(err)
	}
	c.write("receipt", []byte("theirs"))
	if err := f.write([]byte("ours")); err == nil || string(c.read("receipt")) != "theirs" {
		t.Errorf("%v, and there stands %q", err, c.read("receipt"))
	}
	f.done()
	c.nothingBeside()
}

func TestADeleteIsDoneAlsoWhenItsReceiptCannotBeWritten(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	f, err := reserve(c.path("receipt"), "receipt")
	if err != nil {
		t.Fatal(err)
	}
	f.tmp.Close() // no byte goes into it
	var out bytes.Buffer
	a := &app{environment: environment{stdout: &out, stderr: &bytes.Buffer{}}}
	c.holdOpen(func(db *engine.DB) {
		ix, err := db.LoadIndex(t.Context(), "default", engine.WithIndexKey(c.withKey()))
		if err != nil {
			t.Fatal(err)
		}
		err = a.deleteIDs(t.Context(), ix, []string{"a"}, f)
		if exitCode(err) != exitFailure || !strings.Contains(err.Error(), "deleted all the same, but the receipt is not written to "+c.path("receipt")) {
			t.Errorf("error %v", err)
		}
	})
	f.done()
	if !strings.Contains(out.String(), "asked          to delete 1 distinct id") {
		t.Errorf("the receipt is not printed: %s", &out)
	}
	if got := c.ids(); len(got) != 2 {
		t.Errorf("left: %v", got)
	}
	c.nothingBeside()
}

func TestWhereNothingIsCertifiedThatIsSaid(t *testing.T) {
	c := newCLI(t)
	cert := engine.Certificate{Certificate: proof.Certificate{State: proof.Erased, FileSystem: "btrfs"}, Uncertified: "file system btrfs: it copies"}
	for _, json := range []bool{false, true} {
		f, err := reserve(c.path("certificate"), "certificate")
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		a := &app{environment: environment{stdout: &out}, json: json}
		err = a.giveCertificate(cert, f)
		f.done()
		if exitCode(err) != exitFailure || !strings.Contains(err.Error(), "no certificate is written: file system btrfs") {
			t.Errorf("asked for: %v", err)
		}
		if !strings.Contains(out.String(), "file system btrfs: it copies") {
			t.Errorf("it prints %s", &out)
		}
		if err := a.giveCertificate(cert, nil); err != nil {
			t.Errorf("not asked for: %v", err)
		}
	}
	if names := c.files(); len(names) != 0 {
		t.Errorf("there are %v", names)
	}
}

func TestStatusOfADeleteThatIsNotErased(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	c.crashed("receipt", "a", "nobody")
	r := c.keyed("", "status", c.path("receipt"), "--certificate", c.path("certificate"))
	c.fails(r, exitPending, "not erased yet", "oubliette purge")
	if !strings.Contains(r.out, "state          hidden") || strings.Contains(r.out, "rows") {
		t.Errorf("status:\n%s", r.out)
	}
	r = c.keyed("", "status", c.path("receipt"), "--json")
	s := decode[statusJSON](t, r.out)
	if f := decode[failure](t, r.err); f.ExitCode != exitPending || s.State != "hidden" || s.WaitsFor == "" || s.Rows != nil || s.Bytes != nil || s.IDs != 2 {
		t.Errorf("status: %+v, %+v", s, f)
	}
	if _, err := os.Stat(c.path("certificate")); err == nil {
		t.Error("a certificate of what is not erased")
	}
	c.keyedOK("", "purge")
	s = decode[statusJSON](t, c.keyedOK("", "status", c.path("receipt"), "--json", "--certificate", c.path("certificate")))
	if s.State != "erased" || *s.Rows != 1 || *s.Bytes == 0 || s.Rewritten || s.Erased == "" || s.Applied == "" || s.File != c.path("certificate") {
		t.Errorf("status: %+v", s)
	}
	c.nothingBeside()
}

func TestStatusSaysWhatIsNotKnown(t *testing.T) {
	for _, x := range []struct {
		st   engine.Erasure
		says []string
	}{
		{engine.Erasure{}, []string{"unknown: older"}},
		{engine.Erasure{State: engine.Erased}, []string{"erased: ", "how many there were is not known", "at a time that is not known", "rewritten    not known any more"}},
		{engine.Erasure{State: engine.Erased, Counted: true, ErasedAt: time.Unix(0, 0)}, []string{"0 rows found", "1970-01-01T00:00:00Z", "rewritten    no"}},
		{engine.Erasure{State: engine.Hidden, Wait: engine.WaitError, Err: fmt.Errorf("the disk")}, []string{"hidden: ", "a failure to pass: the disk"}},
	} {
		var out bytes.Buffer
		a := &app{environment: environment{stdout: &out}}
		if err := a.printStatus(proof.Receipt{Count: 1}, x.st, ""); err != nil {
			t.Fatal(err)
		}
		for _, want := range x.says {
			if !strings.Contains(out.String(), want) {
				t.Errorf("%+v is printed without %q:\n%s", x.st, want, &out)
			}
		}
	}
}

func TestStatusTakesReceiptsOfThisIndexAlone(t *testing.T) {
	c := initialised(t)
	reader, writer := c.addUser(1, "read"), c.addUser(2, "write")
	c.keyedOK(threeItems, "upsert")
	c.asOK(writer, "", "delete", "a", "--receipt", c.path("receipt"))
	c.keyedOK("", "purge", "--certificate", c.path("purge"))

	c.asOK(reader, "", "status", c.path("receipt"))
	c.fails(c.as(reader, "", "status", c.path("receipt"), "--certificate", c.path("x")), exitKey, "permission denied")
	c.asOK(writer, string(c.read("receipt")), "status", "-")
	c.asOK(writer, "", "status", c.path("receipt"), "--certificate", c.path("by writer"))
	pem := c.write("pem", []byte(c.asOK(reader, "", "root-key")))
	if out := c.run("", "verify", "--root-key", pem, c.path("receipt"), c.path("by writer")); out.code != exitOK || !strings.Contains(out.out, "signed by user "+writer+", whom root lists as a writer of epoch 3") {
		t.Errorf("verify: %+v", out)
	}
	c.fails(c.keyed("", "status", c.path("purge")), exitRefused, c.path("purge"), "a certificate, no receipt")
	c.fails(c.keyed("", "status", c.path("key")), exitUsage, "looks like a key")
	c.fails(c.keyed("", "status", c.path("nowhere")), exitUsage, "no such file")
	c.fails(c.keyed(strings.Repeat("x", 100_000), "status", "-"), exitRefused, "65536")
	c.fails(c.keyed("", "status"), exitUsage, "a receipt's file")

	c.keyedOK("", "init", "--index", "second")
	c.fails(c.keyed("", "status", c.path("receipt"), "--index", "second"), exitRefused, "has another root")
	c.fails(c.keyed("", "status", c.path("receipt"), "--index", "second", "--root-key", pem), exitUsage, "this one is")

	c.keyedOK("", "rotate-key", "--generate-new-key", c.path("new"))
	again := func(args ...string) result {
		return c.run("", append([]string{"status", c.path("receipt"), "--key-file", c.path("new")}, args...)...)
	}
	c.fails(again(), exitRefused, "has another root")
	c.fails(again("--root-key", pem), exitOK)
	other := c.ok("root-key", "--key-file", c.path("new"))
	if other == string(c.read("pem")) {
		t.Error("the root of another key is the same")
	}
	c.fails(again("--root-key", c.write("other", []byte(other))), exitRefused)
	c.fails(again("--root-key", c.write("bad", []byte("no key"))), exitUsage, "root's public key in "+c.path("bad"))
	c.nothingBeside()
}

func TestTheRootKeyForMachines(t *testing.T) {
	c := initialised(t)
	k := decode[struct {
		Index   string
		IndexID string `json:"index_id"`
		RootKey string `json:"root_key"`
		KeyID   string `json:"key_id"`
	}](t, c.keyedOK("", "root-key", "--json"))
	if pem := c.keyedOK("", "root-key"); k.RootKey != pem || k.Index != "default" || len(k.IndexID) != 32 || len(k.KeyID) != 64 || !strings.HasPrefix(pem, "-----BEGIN PUBLIC KEY-----\n") {
		t.Errorf("root-key: %+v, %s", k, pem)
	}
	c.fails(c.run("", "root-key"), exitKey, "no key")
}

func TestVerifySaysWhatIsWrong(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	c.keyedOK("", "delete", "a", "nobody", "a", "--receipt", c.path("receipt"))
	c.keyedOK("", "purge", "--certificate", c.path("certificate"))
	root := c.write("root", []byte(c.keyedOK("", "root-key")))
	verify := func(args ...string) result {
		return c.run("", append([]string{"verify", "--root-key", root}, args...)...)
	}

	c.fails(c.run("", "verify", c.path("receipt")), exitUsage, "--root-key FILE is needed")
	c.fails(c.run("", "verify", "--root-key", root), exitUsage, "no documents")
	c.fails(verify("-", "-"), exitUsage, "standard input is named 2 times")
	c.fails(verify(c.path("nowhere")), exitUsage, "no such file")
	c.fails(verify(c.path("receipt"), "--store", "x"), exitUsage, "takes no --store")
	c.fails(verify(c.path("receipt"), "--ledger", "x"), exitUsage, "takes no --ledger")
	body := string(c.read("receipt"))
	r := verify(c.write("altered", []byte(strings.Replace(body, `"sig":"`, `"sig":"A`, 1))), c.path("receipt"))
	c.fails(r, exitRefused, c.path("altered")+": refused: ", "sig")
	if !strings.Contains(r.out, "verified       NO: ") || !strings.Contains(r.out, "verified       yes: a receipt") {
		t.Errorf("one of two:\n%s", r.out)
	}
	c.fails(verify(c.write("junk", []byte("{}"))), exitRefused, "neither a receipt nor a certificate")
	c.fails(verify(c.write("newer", []byte(strings.Replace(body, "receipt.v1+json", "receipt.v2+json", 1)))), exitRefused)

	lines := strings.SplitAfter(verify("--json", c.path("altered"), c.path("receipt"), c.path("certificate")).out, "\n")
	bad, receipt, cert := decode[checkedJSON](t, lines[0]), decode[checkedJSON](t, lines[1]), decode[checkedJSON](t, lines[2])
	if bad.Verified || bad.Reason != "altered" || bad.Error == "" || bad.Receipt != nil || bad.Document != c.path("altered") {
		t.Errorf("altered: %+v", bad)
	}
	if !receipt.Verified || receipt.Receipt.IDs != 2 || receipt.Receipt.Name != "default" || receipt.Receipt.Group == 0 || receipt.Covers != nil || receipt.Reason != "" {
		t.Errorf("receipt: %+v", receipt)
	}
	if !cert.Verified || len(cert.Certificate.NotCovered) != len(proof.NotCovered()) || cert.Certificate.State != "erased" || cert.Names != nil {
		t.Errorf("certificate: %+v", cert)
	}
	if d := decode[doneJSON](t, c.keyedOK("", "purge", "--json", "--rewrite", "--certificate", c.path("json"))); d.State != "rewritten" || d.File != c.path("json") || d.Uncertified != "" || d.FileSystem == "" || d.Rewritten == "" {
		t.Errorf("purge: %+v", d)
	}
}

func TestAReceiptIsHeldAgainstIDs(t *testing.T) {
	c := initialised(t)
	reader := c.addUser(1, "read")
	c.keyedOK("", "delete", "a", "line\nbreak", "a", "--receipt", c.path("receipt"))
	c.keyedOK("", "purge", "--certificate", c.path("certificate"))
	root := c.write("root", []byte(c.keyedOK("", "root-key")))
	right, wrong := c.write("right", []byte("\"line\\nbreak\"\na\n")), c.write("wrong", []byte("a\nb\n"))
	args := func(doc, ids string) []string {
		return []string{"verify", "--root-key", root, "--ids", ids, c.path(doc)}
	}

	if out := c.keyedOK("", args("receipt", right)...); !strings.Contains(out, "ids            yes: ") {
		t.Errorf("of its ids:\n%s", out)
	}
	c.asOK(reader, "", args("receipt", right)...)
	r := c.keyed("", args("receipt", wrong)...)
	c.fails(r, exitRefused, "the receipt is not of these ids")
	if !strings.Contains(r.out, "verified       yes") || !strings.Contains(r.out, "ids            NO: ") {
		t.Errorf("of others:\n%s", r.out)
	}
	for ids, want := range map[string]bool{right: true, wrong: false} {
		if j := decode[checkedJSON](t, c.keyed("", append(args("receipt", ids), "--json")...).out); !j.Verified || j.Covers == nil || *j.Covers != want {
			t.Errorf("%s: %+v", ids, j)
		}
	}
	c.fails(c.run("", args("receipt", right)...), exitKey, "no key")
	c.fails(c.keyed("", args("certificate", right)...), exitUsage, "of no ids")
	c.fails(c.keyed("", append(args("receipt", right), c.path("certificate"))...), exitUsage, "goes with one receipt")
	c.fails(c.keyed("a\nb\tc\n", args("receipt", "-")...), exitUsage, "line 2: bad input: a control character")
}
