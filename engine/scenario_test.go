package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/engine"
)

// TestScenarios runs the stories in testdata/scenarios: commands and what they
// print. Run with -rewrite after a change that is meant.
func TestScenarios(t *testing.T) {
	datadriven.Walk(t, "testdata/scenarios", func(t *testing.T, path string) {
		sc := &scenario{t: t, store: newStore(t), noted: make(map[string][]byte)}
		sc.ix = sc.store.create("story")
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			return sc.run(d)
		})
	})
}

// scenario is one story under way.
type scenario struct {
	t     *testing.T
	store *store
	ix    *engine.Index
	noted map[string][]byte // sealed bytes as they stood when noted
}

func (sc *scenario) run(d *datadriven.TestData) string {
	ctx := context.Background()
	ids := make([]string, len(d.CmdArgs))
	for i, a := range d.CmdArgs {
		ids[i] = a.Key
	}
	switch d.Cmd {
	case "upsert":
		return sc.answer("", sc.ix.Upsert(ctx, scenarioItems(d.Input)))
	case "get":
		items, err := sc.ix.Get(ctx, ids, engine.AllFields)
		return sc.answer(printItems(items), err)
	case "delete":
		r, err := sc.ix.Delete(ctx, ids)
		return sc.answer(fmt.Sprintf("ids=%d seq=%d\n", r.Count, r.Seq), err)
	case "count":
		n, err := sc.ix.Count(ctx)
		return sc.answer(fmt.Sprintf("%d\n", n), err)
	case "note":
		return sc.note(ids)
	case "search":
		return sc.search()
	case "purge":
		c, err := sc.ix.Purge(ctx)
		return sc.answer(fmt.Sprintf("through=%d rows=%d\n", c.Through, c.Rows), err)
	case "compact":
		return sc.answer("", sc.ix.Compact(ctx))
	case "state":
		m := sc.store.Metrics().Indexes["story"]
		return fmt.Sprintf("sealed=%d open=%d tombstones=%d\n", m.Segments, m.OpenSegments, m.Tombstones)
	case "check":
		r, err := sc.ix.Check(ctx)
		return sc.answer(fmt.Sprintf("rows=%d dead=%d pending-bytes=%d\n", r.Rows, r.DeadRows, r.PendingBytes), err)
	case "reopen":
		sc.store.reopen()
	case "crash":
		sc.crash()
	default:
		d.Fatalf(sc.t, "unknown command %q", d.Cmd)
	}
	sc.ix = sc.store.load("story")
	return "ok\n"
}

// crash goes on with what a power loss leaves now: what was synced, and nothing
// else.
func (sc *scenario) crash() {
	image := sc.store.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{})
	sc.store.noCheck = true
	keys := sc.store.keys
	sc.store.close()
	sc.store = openStore(sc.t, image, keys)
}

// note remembers items' sealed bytes, to be searched for later.
func (sc *scenario) note(ids []string) string {
	rows, err := sc.ix.SealedRows(context.Background(), ids)
	for _, r := range rows {
		sc.noted[fmt.Sprintf("%s at %d", r.ID, r.Extent.Off)] = r.Bytes
	}
	return sc.answer("", err)
}

// search looks for every noted row in every file of the store.
func (sc *scenario) search() string {
	found := 0
	for _, content := range readAll(sc.t, sc.store.fs) {
		for _, needle := range sc.noted {
			found += bytes.Count(content, needle)
		}
	}
	return fmt.Sprintf("noted=%d found=%d\n", len(sc.noted), found)
}

func (sc *scenario) answer(out string, err error) string {
	if err == nil {
		if out == "" {
			return "ok\n"
		}
		return out
	}
	for _, known := range []error{engine.ErrInvalid, engine.ErrDimension, engine.ErrTooLarge, engine.ErrCorrupt, engine.ErrFailed} {
		if errors.Is(err, known) {
			return "error: " + known.Error() + "\n"
		}
	}
	return "error: " + err.Error() + "\n"
}

// scenarioItems reads lines of "id contents"; the id (none) is an empty one.
func scenarioItems(input string) []engine.Item {
	var items []engine.Item
	for line := range strings.Lines(input) {
		id, contents, _ := strings.Cut(strings.TrimSpace(line), " ")
		if id == "(none)" {
			id = ""
		}
		items = append(items, engine.Item{ID: id, Vector: []float32{1, 2}, Contents: []byte(contents)})
	}
	return items
}

func printItems(items []engine.Item) string {
	var b strings.Builder
	for _, it := range items {
		fmt.Fprintf(&b, "%s %s\n", it.ID, it.Contents)
	}
	if b.Len() == 0 {
		return "nothing\n"
	}
	return b.String()
}
