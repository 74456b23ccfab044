package main

import (
	"encoding/hex"
	"fmt"
	"time"

	"oubliette/engine"
)

// receiptJSON is a receipt for machines; binary values in hexadecimal.
type receiptJSON struct {
	IDs     int       `json:"ids"`
	Index   string    `json:"index_id"`
	Name    string    `json:"index"`
	Epoch   uint64    `json:"epoch"`
	Session string    `json:"session"`
	Seq     uint64    `json:"seq"`
	Group   uint64    `json:"group"`
	Head    string    `json:"head"`
	Time    time.Time `json:"time"`
	User    string    `json:"user"`
	Salt    string    `json:"salt"`
	Digest  string    `json:"digest"`
}

func receiptOf(r engine.Receipt) receiptJSON {
	return receiptJSON{
		r.Count, r.Index.String(), r.Name, r.Epoch, r.Session.String(), r.Seq, r.Group, r.Head.String(),
		r.Time.UTC(), r.User.String(), hex.EncodeToString(r.Salt[:]), r.Digest.String(),
	}
}

func (a *app) printReceipt(r engine.Receipt) error {
	if a.json {
		return writeJSON(a.stdout, receiptOf(r))
	}
	var p page
	p.receipt(r)
	return a.print(&p)
}

// receipt adds what a receipt says.
func (p *page) receipt(r engine.Receipt) {
	p.line("asked", "to delete %s", count(r.Count, "distinct id"))
	p.line("index", "%s", r.Index)
	p.line("sequence", "%d of session %s", r.Seq, r.Session)
	p.line("log head", "%s", r.Head)
	p.line("time", "%s, by %s", r.Time.UTC().Format(time.RFC3339Nano), r.User)
	p.line("digest", "%s", r.Digest)
	p.line("salt", "%x", r.Salt)
}

// erasure is what has been overwritten behind a receipt.
type erasure struct {
	Rows  *uint64 `json:"rows_erased"` // null: not to be told from what was deleted before
	Bytes uint64  `json:"bytes_erased"`
}

func (a *app) printErasure(e erasure, ids int) error {
	if a.json {
		return writeJSON(a.stdout, e)
	}
	rows := "all rows"
	if e.Rows != nil {
		rows = count(*e.Rows, "row")
	}
	missing := ""
	if e.Rows != nil && *e.Rows < uint64(ids) {
		missing = fmt.Sprintf("; %s had no item", count(uint64(ids)-*e.Rows, "id"))
	}
	return a.printLine("erased", "%s, %s overwritten%s", rows, count(e.Bytes, "byte"), missing)
}

// printNothingDeleted is the result of a delete without ids: there is no receipt.
func (a *app) printNothingDeleted() error {
	if a.json {
		return writeJSON(a.stdout, struct {
			IDs int `json:"ids"`
		}{})
	}
	return a.printLine("deleted", "nothing: there is no id in the list")
}
