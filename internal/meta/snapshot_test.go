package meta

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// TestASnapshotStaysAsItWas, whatever is committed, deleted and flushed behind it.
func TestASnapshotStaysAsItWas(t *testing.T) {
	db := mustOpen(t, vfs.NewMem(), small)
	want := state{}
	for _, s := range workload(40) {
		b := db.NewBatch()
		s.apply(b, want)
		if err := db.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	snap, err := db.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	later := state{}
	for k, v := range want {
		later[k] = v
	}
	for _, s := range workload(80) {
		b := db.NewBatch()
		b.DeleteRange([]byte("a"), []byte("z"))
		clear(later)
		s.apply(b, later)
		if err := db.Commit(b); err != nil {
			t.Fatal(err)
		}
	}
	have := state{}
	if err := snap.Scan(nil, nil, func(k, v []byte) error { have[string(k)] = string(v); return nil }); err != nil || wrong(have, want) != "" {
		t.Errorf("%v%s", err, wrong(have, want))
	}
	for k, v := range want {
		if got, found, err := snap.Get([]byte(k)); string(got) != v || !found || err != nil {
			t.Errorf("%q is %q, %v, %v", k, got, found, err)
		}
	}
	if got, found, err := snap.Get([]byte("never there")); got != nil || found || err != nil {
		t.Errorf("%q, %v, %v", got, found, err)
	}
	stop := errors.New("stop")
	if err := snap.Scan(nil, nil, func(_, _ []byte) error { return stop }); err != stop {
		t.Errorf("stopped: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- db.Close() }()
	if err := errors.Join(snap.Close(), snap.Close(), <-done); err != nil {
		t.Error(err)
	}
	if _, err := db.Snapshot(); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
