package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/proof"
)

func (a *app) statusCommand() *cobra.Command {
	s := statusRequest{}
	cmd := &cobra.Command{
		Use:   "status RECEIPT",
		Short: "Say what has become of a delete",
		Long: `Read a signed receipt ("delete --receipt") from a file, or from standard input for
"-"; check it with root's public key, which the index knows; and say what has become
of the delete: how many ids were asked for, how many rows that found, and whether
their bytes have been overwritten and their segments rewritten. It changes nothing,
and takes any key of the index.

  erased   exit code 0: the bytes have been overwritten, and the overwrite synced
  hidden   exit code 7: no read shows the items; their bytes wait to be overwritten.
           "oubliette purge", and every other command that writes, does it
  unknown  exit code 3: the receipt is older than what the store remembers

A receipt that does not verify has exit code 8. One that does, of a delete that the
store does not hold, has exit code 5: an acknowledged delete is missing, because the
store was put back to an earlier state, or went another way since.

A receipt from before "rotate-key" was signed under another root: --root-key FILE
names the public key of that time, as "oubliette root-key" printed it.

--certificate FILE writes a signed certificate of this one delete. That takes a key
that may write; and as long as figures are known, 30 days. A file that is there is
not overwritten.`,
		Args: oneArgument("a receipt's file, or - for standard input"),
		RunE: a.action(func(ctx context.Context, args []string) error {
			s.receipt = args[0]
			return a.status(ctx, s)
		}),
	}
	cmd.Flags().StringVar(&s.rootKey, "root-key", "", "file with root's public key of the receipt's time (default: the index's)")
	certificateFlag(cmd, &s.certificate)
	return cmd
}

// statusRequest is what status is asked.
type statusRequest struct{ receipt, rootKey, certificate string }

// status opens the store for reading: it signs a certificate, but changes nothing.
func (a *app) status(ctx context.Context, s statusRequest) error {
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	doc, err := a.readDocument(ctx, s.receipt)
	if err != nil {
		return err
	}
	var root crypto.VerifyKey
	if s.rootKey != "" {
		if root, err = a.readRootKey(ctx, s.rootKey); err != nil {
			return err
		}
	}
	file, err := reserve(s.certificate, "certificate")
	if err != nil {
		return err
	}
	defer file.done()
	return a.withTarget(ctx, t, reading, func(_ *engine.DB, ix *engine.Index) (err error) {
		if s.rootKey == "" {
			if root, err = ix.RootKey(ctx); err != nil {
				return err
			}
		}
		r, err := proof.VerifyReceipt(doc, root)
		if err != nil {
			return refused(s.receipt, err)
		}
		return a.tellStatus(ctx, ix, r, file)
	})
}

// tellStatus prints what has become of a delete; the error is what its exit code
// says.
func (a *app) tellStatus(ctx context.Context, ix *engine.Index, r proof.Receipt, file *newFile) error {
	st, err := ix.Status(ctx, r)
	if err != nil {
		return err
	}
	var cert engine.Certificate
	var cerr error
	if file != nil && st.State == engine.Erased {
		if cert, cerr = ix.Certify(ctx, r); cerr == nil {
			cerr = writeCertificate(file, cert)
		}
	}
	path := ""
	if cert.Document != nil && cerr == nil {
		path = file.path
	}
	if err := a.printStatus(r, st, path); err != nil {
		return errors.Join(cerr, err)
	}
	switch st.State {
	case engine.Hidden:
		return fmt.Errorf("delete %d: %w: it waits for %s", r.Seq, engine.ErrNotErased, waitsFor(st))
	case engine.Unknown:
		return fmt.Errorf("delete %d: %w", r.Seq, engine.ErrNotKnown)
	}
	return cerr
}

// waitsFor says what a hidden delete waits for. The command has the store open for
// reading, so no maintenance runs, and there is no turn to wait for.
func waitsFor(st engine.Erasure) string {
	if st.Wait == engine.WaitError {
		return fmt.Sprintf("%s: %v", st.Wait, st.Err)
	}
	return "a command that writes (oubliette purge)"
}

// statusJSON is what has become of a delete, for machines. What is not known is
// null or left out.
type statusJSON struct {
	State       string  `json:"state"` // erased, hidden or unknown
	WaitsFor    string  `json:"waits_for,omitempty"`
	Seq         uint64  `json:"seq"`
	IDs         int     `json:"ids"`     // distinct, that the receipt is of
	Rows        *int    `json:"rows"`    // found; null: not known yet, or not any more
	Bytes       *uint64 `json:"bytes"`   // of these rows
	DeletedAt   string  `json:"deleted"` // as the receipt says
	Applied     string  `json:"applied,omitempty"`
	Erased      string  `json:"erased,omitempty"`
	Rewritten   bool    `json:"rewritten"`
	RewrittenAt string  `json:"rewritten_at,omitempty"`
	File        string  `json:"certificate,omitempty"`
}

func (a *app) printStatus(r proof.Receipt, st engine.Erasure, path string) error {
	if a.json {
		j := statusJSON{
			State: st.State.String(), Seq: r.Seq, IDs: r.Count, DeletedAt: instant(r.Time),
			Applied: instant(st.AppliedAt), Erased: instant(st.ErasedAt),
			Rewritten: st.Rewritten, RewrittenAt: instant(st.RewrittenAt), File: path,
		}
		if st.Counted {
			j.Rows, j.Bytes = &st.Rows, &st.Bytes
		}
		if st.State == engine.Hidden {
			j.WaitsFor = waitsFor(st)
		}
		return writeJSON(a.stdout, j)
	}
	var p page
	p.line("asked", "to delete %s, %s, by %s", count(r.Count, "distinct id"), instant(r.Time), r.User)
	p.line("state", "%s", stateText(st))
	if st.Counted {
		p.line("  rows", "%s found, %s of sealed rows", count(st.Rows, "row"), count(st.Bytes, "byte"))
		p.line("  applied", "%s", instantOr(st.AppliedAt, "at a time that is not known"))
	} else if st.State == engine.Erased {
		p.line("  rows", "how many there were is not known any more")
	}
	if st.State == engine.Erased {
		p.line("  overwritten", "%s", instantOr(st.ErasedAt, "at a time that is not known"))
		p.line("  rewritten", "%s", rewrittenText(st))
	}
	if path != "" {
		p.line("certificate", "%s (oubliette verify checks it, and says what it does not cover)", path)
	}
	return a.print(&p)
}

func stateText(st engine.Erasure) string {
	switch st.State {
	case engine.Erased:
		return "erased: overwritten in the store's files, and the overwrite synced"
	case engine.Hidden:
		return "hidden: no read shows the items; their bytes wait for " + waitsFor(st)
	}
	return "unknown: older than what the store remembers"
}

func rewrittenText(st engine.Erasure) string {
	switch {
	case st.Rewritten:
		return "yes: the segments that held them are gone, " + instantOr(st.RewrittenAt, "at a time that is not known")
	case st.Counted:
		return "no: keyed tokens and sizes stay in the segments, sealed"
	}
	return "not known any more"
}
