package engine_test

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"oubliette/engine"
)

// modelRefusal is a call that is refused, and with what.
type modelRefusal struct {
	what string
	want error
	run  func(ctx context.Context, ix *engine.Index) error
}

// upsertOf is a refusal of one item.
func upsertOf(what string, want error, it engine.Item) modelRefusal {
	return modelRefusal{"Upsert of " + what, want, func(ctx context.Context, ix *engine.Index) error {
		return ix.Upsert(ctx, []engine.Item{sizedItem(modelID(1), 0, 10), it, sizedItem(modelID(2), 0, 10)})
	}}
}

func deleteOf(what string, want error, id string) modelRefusal {
	return modelRefusal{"Delete of " + what, want, func(ctx context.Context, ix *engine.Index) error {
		_, err := ix.Delete(ctx, []string{modelID(1), id, modelID(2)})
		return err
	}}
}

func getOf(what string, want error, id string, fields engine.Fields) modelRefusal {
	return modelRefusal{"Get of " + what, want, func(ctx context.Context, ix *engine.Index) error {
		_, err := ix.Get(ctx, []string{modelID(1), id}, fields)
		return err
	}}
}

// modelRefusals are calls that no index takes.
var modelRefusals = func() []modelRefusal {
	long := strings.Repeat("x", engine.MaxID+1)
	year10000 := time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC)
	return []modelRefusal{
		upsertOf("an empty id", engine.ErrInvalid, engine.Item{}),
		upsertOf("an id that is too long", engine.ErrTooLarge, engine.Item{ID: long}),
		upsertOf("a vector of no dimension", engine.ErrDimension, engine.Item{ID: "x", Vector: []float32{}}),
		upsertOf("a vector of another dimension", engine.ErrDimension, engine.Item{ID: "x", Vector: make([]float32, testDim+1)}),
		upsertOf("a vector that is too long", engine.ErrTooLarge, engine.Item{ID: "x", Vector: make([]float32, engine.MaxDimension+1)}),
		upsertOf("metadata that is no JSON", engine.ErrInvalid, engine.Item{ID: "x", Metadata: json.RawMessage("{")}),
		upsertOf("an expiry beyond all years", engine.ErrInvalid, engine.Item{ID: "x", ExpiresAt: year10000}),
		deleteOf("an empty id", engine.ErrInvalid, ""),
		deleteOf("an id that is too long", engine.ErrTooLarge, long),
		getOf("an empty id", engine.ErrInvalid, "", engine.AllFields),
		getOf("an id that is too long", engine.ErrTooLarge, long, engine.AllFields),
		getOf("fields that are none", engine.ErrInvalid, "x", 0x80),
	}
}()

// refuse makes a call that has to be refused, and has to change nothing.
func (m *modelMachine) refuse() {
	x := m.index()
	ix := m.roots[x.name]
	switch n := m.pick(len(modelRefusals)+6, "refusal"); n {
	default:
		r := modelRefusals[n]
		m.wants(r.what, r.run(context.Background(), ix), r.want)
	case len(modelRefusals):
		m.cancelled(x)
	case len(modelRefusals) + 1:
		m.nothing(x)
	case len(modelRefusals) + 2:
		m.noUser(x)
	case len(modelRefusals) + 3:
		m.noReceipt(x)
	case len(modelRefusals) + 4:
		m.noIndex(x)
	case len(modelRefusals) + 5:
		m.noStore()
	}
	m.touched(x, []string{"x", modelID(1), modelID(2)})
}

// cancelled calls under a context that has ended.
func (m *modelMachine) cancelled(x *modelIndex) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	ix := m.roots[x.name]
	_, err := ix.Delete(ctx, []string{modelID(1)})
	m.wants("Delete under a context that has ended", err, context.Canceled)
	m.wants("Upsert under a context that has ended", ix.Upsert(ctx, []engine.Item{sizedItem(modelID(1), 0, 10)}), context.Canceled)
	_, err = ix.Get(ctx, []string{modelID(1)}, 0)
	m.wants("Get under a context that has ended", err, context.Canceled)
	m.wants("RotateKey under a context that has ended", ix.RotateKey(ctx, x.keys.root, engine.NewKey()), context.Canceled)
	m.wants("Compact under a context that has ended", ix.Compact(ctx), context.Canceled)
}

// nothing deletes and upserts nothing, which is no change and no error.
func (m *modelMachine) nothing(x *modelIndex) {
	ctx := context.Background()
	r, err := m.roots[x.name].Delete(ctx, nil)
	if m.must(err); r != (engine.Receipt{}) {
		m.t.Fatalf("a delete of nothing has the receipt %+v", r)
	}
	m.must(m.roots[x.name].Upsert(ctx, nil))
}

// noUser changes users as nobody may.
func (m *modelMachine) noUser(x *modelIndex) {
	ctx := context.Background()
	ix := m.roots[x.name]
	m.wants("CreateUserKeys of root", ix.CreateUserKeys(ctx, engine.UserID{}, engine.NewKey(), engine.PermRead, x.keys.root), engine.ErrInvalid)
	m.wants("CreateUserKeys with no permission", ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), 0, x.keys.root), engine.ErrInvalid)
	m.wants("CreateUserKeys with root's key", ix.CreateUserKeys(ctx, userID(1), x.keys.root, engine.PermRead, x.keys.root), engine.ErrInvalid)
	m.wants("CreateUserKeys with a wrong key", ix.CreateUserKeys(ctx, userID(1), engine.NewKey(), engine.PermRead, engine.NewKey()), engine.ErrWrongKey)
	m.wants("RotateKey to the same", ix.RotateKey(ctx, x.keys.root, x.keys.root), engine.ErrInvalid)
	m.wants("RotateKey without the old key", ix.RotateKey(ctx, engine.Key{}, engine.NewKey()), engine.ErrKeyRequired)
}

// noReceipt asks for what has never been deleted.
func (m *modelMachine) noReceipt(x *modelIndex) {
	ctx := context.Background()
	ix := m.roots[x.name]
	_, err := ix.Status(ctx, engine.Receipt{})
	m.wants("Status of no delete", err, engine.ErrInvalid)
	if len(x.receipts) == 0 {
		return
	}
	r := x.receipts[len(x.receipts)-1].Receipt
	r.Seq, r.Group = r.Seq+1000, r.Group+1000
	_, err = ix.Status(ctx, r)
	m.wants("Status of a delete that has not been", err, engine.ErrCorrupt)
}

// noIndex asks for an index that is not there, or with a handle that is closed.
func (m *modelMachine) noIndex(x *modelIndex) {
	ctx := context.Background()
	_, err := m.db.LoadIndex(ctx, "none")
	m.wants("LoadIndex of none", err, engine.ErrIndexNotFound)
	_, err = m.db.LoadIndex(ctx, x.name, engine.WithIndexKey(engine.NewKey()))
	m.wants("LoadIndex with a wrong key", err, engine.ErrWrongKey)
	m.wants("DeleteIndex with a wrong key", m.db.DeleteIndex(ctx, x.name, engine.NewKey()), engine.ErrWrongKey)
	_, err = m.db.CreateIndex(ctx, "", engine.NewKey(), engine.IndexConfig{})
	m.wants("CreateIndex without a name", err, engine.ErrInvalid)
	ix, err := m.db.LoadIndex(ctx, x.name, engine.WithIndexKey(x.keys.root))
	m.must(err)
	m.must(ix.Close())
	_, err = ix.Delete(ctx, []string{modelID(1)})
	m.wants("Delete by a closed handle", err, engine.ErrClosed)
}

// noStore opens the store that is open.
func (m *modelMachine) noStore() {
	_, err := engine.Open(storeDir, &m.opts)
	m.wants("Open of a store that is open", err, engine.ErrLocked)
}
