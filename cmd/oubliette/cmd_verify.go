package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"oubliette/crypto"
	"oubliette/engine"
	"oubliette/proof"
)

func (a *app) verifyCommand() *cobra.Command {
	v := verification{}
	cmd := &cobra.Command{
		Use:   "verify DOCUMENT...",
		Short: "Check receipts and certificates, without a store",
		Long: `Check documents with root's public key of the index ("oubliette root-key"), and
print what they say. It needs neither the store nor a key: so it runs on any machine.
"-" is standard input. One that does not verify is told with what is wrong with it,
and where; then the exit code is 8.

A receipt says that its signer has deleted so many ids in this index, and in which
place of the log that stands. Of which ids it says nothing to who has no key of the
index. Who has one, and the store, asks with --ids FILE (one id a line, as ls prints
them) whether the receipt is of exactly these; if it is not, the exit code is 8.

A certificate says what has been overwritten in the store's own files, and what that
does not cover. Where receipts are given beside it, it is told which it names.

A document is its signer's word: root's, or that of a user whom root lists in it. It
shows who said something, not that it is so, and not when: the times are the signer's
clock. The evidence is a search of every byte ("oubliette residue").`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) == 0:
				return errors.New("no documents")
			case slices.ContainsFunc(args, looksLikeKey):
				return errKeyLike
			}
			return nil
		},
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("ids") {
				return nil
			}
			return unheeded(cmd, "without --ids it needs neither store nor key", "store", "index", "key-file", "user", "ledger")
		},
	}
	cmd.Flags().StringVar(&v.rootKey, "root-key", "", "file with root's public key, as root-key prints it (needed)")
	cmd.Flags().StringVar(&v.ids, "ids", "", "of one receipt: hold it against the ids in this file (takes the store and a key)")
	cmd.RunE = a.action(func(ctx context.Context, args []string) error {
		v.names = args
		return a.verify(ctx, v)
	})
	return cmd
}

// unheeded refuses flags that a command would not heed.
func unheeded(cmd *cobra.Command, why string, flags ...string) error {
	for _, name := range flags {
		if cmd.Flags().Changed(name) {
			return fmt.Errorf("%s: %s: it takes no --%s", cmd.CommandPath(), why, name)
		}
	}
	return nil
}

// verification is what verify is to do.
type verification struct {
	names        []string
	rootKey, ids string
}

func (v *verification) validate() error {
	inputs := append(slices.Clone(v.names), v.rootKey, v.ids)
	stdin := slices.DeleteFunc(inputs, func(name string) bool { return name != "-" })
	switch {
	case v.rootKey == "":
		return fmt.Errorf("%w: --root-key FILE is needed: root's public key, which root-key prints and no document vouches for", errUsage)
	case v.ids != "" && len(v.names) > 1:
		return fmt.Errorf("%w: --ids goes with one receipt, and there are %d documents", errUsage, len(v.names))
	case len(stdin) > 1:
		return fmt.Errorf("%w: standard input is named %d times", errUsage, len(stdin))
	}
	return nil
}

// checked is a document and what has come of it.
type checked struct {
	name string
	proof.Document
	err  error // why it does not verify
	held bool  // against ids
	ids  error // why it is not of these
}

func (a *app) verify(ctx context.Context, v verification) error {
	if err := v.validate(); err != nil {
		return err
	}
	root, err := a.readRootKey(ctx, v.rootKey)
	if err != nil {
		return err
	}
	docs := make([]checked, len(v.names))
	for i, name := range v.names {
		if docs[i], err = a.checkDocument(ctx, name, root); err != nil {
			return err
		}
	}
	if v.ids != "" && docs[0].err == nil {
		if err := a.holdAgainst(ctx, &docs[0], v.ids); err != nil {
			return err
		}
	}
	var bad []error
	for i := range docs {
		if err := a.printChecked(&docs[i], docs); err != nil {
			return err
		}
		if err := cmp.Or(docs[i].err, docs[i].ids); err != nil {
			bad = append(bad, refused(docs[i].name, err))
		}
	}
	return errors.Join(bad...)
}

// checkDocument verifies one document; the error is that it cannot be read.
func (a *app) checkDocument(ctx context.Context, name string, root crypto.VerifyKey) (checked, error) {
	b, err := a.readDocument(ctx, name)
	if err != nil {
		return checked{}, err
	}
	d, err := proof.Verify(b, root)
	return checked{name: name, Document: d, err: err}, nil
}

// holdAgainst asks the index whether a receipt is of exactly these ids.
func (a *app) holdAgainst(ctx context.Context, d *checked, file string) error {
	if d.Receipt == nil {
		return fmt.Errorf("%w: --ids: %s is a certificate, which is of no ids", errUsage, d.name)
	}
	t, err := a.target(ctx)
	if err != nil {
		return err
	}
	defer t.key.Wipe()
	ids, err := idSource{file: file}.read(ctx, a)
	if err != nil {
		return err
	}
	return a.withTarget(ctx, t, reading, func(_ *engine.DB, ix *engine.Index) error {
		err := ix.Covers(ctx, *d.Receipt, ids)
		if err == nil || errors.Is(err, proof.ErrOtherIDs) {
			d.held, d.ids = true, err
			return nil
		}
		return err
	})
}

// checkedJSON is a document for machines.
type checkedJSON struct {
	Document    string           `json:"document"`
	Verified    bool             `json:"verified"`
	Reason      string           `json:"reason,omitempty"` // altered, signer, foreign or newer
	Error       string           `json:"error,omitempty"`
	Receipt     *receiptJSON     `json:"receipt,omitempty"`
	Covers      *bool            `json:"covers_ids,omitempty"` // whether it is of exactly the ids of --ids
	Certificate *certificateJSON `json:"certificate,omitempty"`
	Names       []string         `json:"names,omitempty"` // documents beside it: receipts that the certificate names
}

func (a *app) printChecked(d *checked, all []checked) error {
	if a.json {
		return writeJSON(a.stdout, d.json(all))
	}
	var p page
	p.line("document", "%s", formatID(d.name))
	switch {
	case d.err != nil:
		p.line("verified", "NO: %v", d.err)
	case d.Receipt != nil:
		p.line("verified", "yes: a receipt, signed by %s", signer(d.Receipt.Author))
		p.receipt(*d.Receipt)
		switch {
		case d.ids != nil:
			p.line("ids", "NO: %v", d.ids)
		case d.held:
			p.line("ids", "yes: of exactly the ids that were given")
		}
		p.line("not shown", "that anything has been erased (a certificate says that), when it was signed,")
		p.line("", "and, to who has no key of the index, which ids they were")
	default:
		p.line("verified", "yes: a certificate, signed by %s", signer(d.Certificate.Author))
		p.certificate(d.Certificate)
		d.names(all, func(r *checked, named bool) {
			p.line("names", "%s: %s", formatID(r.name), d.namesText(r.Receipt, named))
		})
		p.notCovered()
	}
	return a.print(&p)
}

func (d *checked) json(all []checked) checkedJSON {
	j := checkedJSON{Document: d.name, Verified: d.err == nil}
	if d.held {
		j.Covers = new(d.ids == nil)
	}
	switch {
	case d.err != nil:
		j.Reason, j.Error = reason(d.err), d.err.Error()
	case d.Receipt != nil:
		j.Receipt = new(receiptOf(*d.Receipt))
	default:
		j.Certificate = new(certificateOf(d.Certificate))
		d.names(all, func(r *checked, named bool) {
			if named {
				j.Names = append(j.Names, r.name)
			}
		})
	}
	return j
}

// names tells of every receipt that verified whether the certificate names it.
func (d *checked) names(all []checked, tell func(r *checked, named bool)) {
	for i := range all {
		if r := &all[i]; r.err == nil && r.Receipt != nil {
			tell(r, d.Certificate.Index == r.Receipt.Index && d.Certificate.Names(r.Receipt))
		}
	}
}

// namesText says how a certificate stands to a receipt beside it.
func (d *checked) namesText(r *proof.Receipt, named bool) string {
	switch {
	case named:
		return "yes"
	case d.Certificate.Index != r.Index:
		return "NO, it is of another index"
	case r.Seq > d.Certificate.Through:
		return "NO, it is of a later delete"
	}
	return "not by its head; but it speaks of every delete up to its number"
}

// signer says in whose name a document was signed.
func signer(by proof.Author) string {
	if by.Listing == nil {
		return by.User.String()
	}
	return "user " + by.User.String() + ", whom root lists as a writer of epoch " + number(by.Epoch)
}
