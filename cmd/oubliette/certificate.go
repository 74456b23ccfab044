package main

import (
	"errors"
	"fmt"

	"oubliette/engine"
)

// giveCertificate writes the certificate, where that was asked for, and prints it
// also when it could not be written.
func (a *app) giveCertificate(c engine.Certificate, file *newFile) error {
	werr := writeCertificate(file, c)
	if err := a.printCertificate(c, file, werr == nil); err != nil {
		return errors.Join(werr, fmt.Errorf("erased, but that is not printed: %w", err))
	}
	return werr
}

// writeCertificate writes the document into its file. On a file system that keeps
// what is overwritten there is none.
func writeCertificate(file *newFile, c engine.Certificate) error {
	switch {
	case file == nil:
		return nil
	case c.Document == nil:
		return fmt.Errorf("erased in the store's files, but no certificate is written: %s", c.Uncertified)
	}
	if err := file.write(c.Document); err != nil {
		return fmt.Errorf("erased, but the certificate is not written to %s: %w", file.path, err)
	}
	return nil
}

// doneJSON is what has been erased, for machines.
type doneJSON struct {
	certificateJSON
	Uncertified string `json:"uncertified,omitempty"` // why there is no document of it
	File        string `json:"certificate,omitempty"` // where the document is
}

func (a *app) printCertificate(c engine.Certificate, file *newFile, written bool) error {
	path := ""
	if file != nil && written {
		path = file.path
	}
	if a.json {
		return writeJSON(a.stdout, doneJSON{certificateOf(&c.Certificate), c.Uncertified, path})
	}
	var p page
	p.certificate(&c.Certificate)
	switch {
	case c.Uncertified != "":
		p.line("certificate", "none: nothing is certified on %s", c.Uncertified)
	case path != "":
		p.line("certificate", "%s (oubliette verify checks it, and says what it does not cover)", path)
	}
	return a.print(&p)
}
