package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"oubliette/engine"
)

func (a *app) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Read and verify everything that an index has on disk",
		Long: `Verify every signature, hash and seal of the index, read every living row, and
look whether every row that counts as erased is zeros. It changes nothing. Each
problem is printed; then the exit code is 5.`,
		Args: noArguments,
		RunE: a.action(func(ctx context.Context, _ []string) error { return a.check(ctx) }),
	}
}

func (a *app) check(ctx context.Context) error {
	return a.withIndex(ctx, reading, func(_ *engine.DB, ix *engine.Index) error {
		return a.checkIndex(ctx, ix)
	})
}

// checkIndex does not wait for a check that goes on behind an interrupt.
func (a *app) checkIndex(ctx context.Context, ix *engine.Index) error {
	began := time.Now()
	bar := a.spinner("check")
	r, err := within(ctx, func() (engine.Report, error) { return ix.Check(ctx) })
	bar.done()
	if err != nil && len(r.Problems) == 0 {
		return err // it has not looked at everything
	}
	if perr := a.printReport(r, time.Since(began)); perr != nil {
		return errors.Join(err, perr)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", count(len(r.Problems), "problem"), err)
	}
	return nil
}

// reportJSON is a check's report for machines.
type reportJSON struct {
	OK           bool     `json:"ok"`
	Segments     int      `json:"segments"`
	OpenSegments int      `json:"open_segments"`
	Rows         uint64   `json:"rows"`
	ExpiredRows  uint64   `json:"expired_rows"` // hidden, not dead yet; not among rows
	DeadRows     uint64   `json:"dead_rows"`
	LogGroups    uint64   `json:"log_groups"`
	ErasedBytes  uint64   `json:"erased_bytes"`
	PendingBytes uint64   `json:"pending_bytes"`
	Tombstones   int      `json:"tombstones"` // not applied yet: what they delete is among rows
	RowsUnread   bool     `json:"rows_unread"`
	Problems     []string `json:"problems"`
	Seconds      float64  `json:"seconds"`
}

func (a *app) printReport(r engine.Report, d time.Duration) error {
	if a.json {
		problems := make([]string, len(r.Problems))
		for i, p := range r.Problems {
			problems[i] = p.Error()
		}
		return writeJSON(a.stdout, reportJSON{
			len(r.Problems) == 0, r.Segments, r.OpenSegments, r.Rows, r.Expired, r.DeadRows, r.LogGroups,
			r.ErasedBytes, r.PendingBytes, r.Tombstones, r.RowsUnread, problems, d.Seconds(),
		})
	}
	verdict := "everything is as it was written"
	if len(r.Problems) > 0 {
		verdict = count(len(r.Problems), "problem")
	}
	rows := fmt.Sprintf("%s living and whole", number(r.Rows))
	if r.RowsUnread {
		rows = "the living not read: the key does not read"
	}
	var p page
	p.line("check", "%s (%s)", verdict, took(d))
	p.line("segments", "%s closed, %s open", number(r.Segments), number(r.OpenSegments))
	if r.Expired > 0 {
		rows += fmt.Sprintf(", %s expired", number(r.Expired))
	}
	if r.Tombstones > 0 {
		rows += fmt.Sprintf(" (with up to %s deleted, not applied yet)", number(r.Tombstones))
	}
	p.line("rows", "%s, %s dead", rows, number(r.DeadRows))
	p.line("erased", "%s looked at and zero, %s still to be overwritten", count(r.ErasedBytes, "byte"), number(r.PendingBytes))
	p.line("log", "%s verified", count(r.LogGroups, "group"))
	return a.print(&p)
}
