package wal

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"oubliette/crypto"
)

// BenchmarkAppend is a call with a tombstone of one id, on a disk that costs
// nothing: what is left is sealing, signing and the database.
func BenchmarkAppend(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			w := newWorld(b, vfs.NewMem())
			l := New(Config{DB: w.db, Index: w.index, Epoch: w.epoch, MapKey: w.mapKey, Publish: func(Position, int, []*Entry) {}}, Position{})
			payload := make([]byte, 22)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for c := range callers {
				wg.Go(func() {
					for range (b.N + callers - 1 - c) / callers {
						if err := l.Append(context.Background(), &Entry{Kind: KindTombstone, Signer: w.root, Payload: payload}); err != nil {
							b.Error(err)
						}
					}
				})
			}
			wg.Wait()
			b.ReportMetric(float64(l.at.Seq)/float64(l.at.Group), "calls/group")
		})
	}
}

// BenchmarkEncode seals, hashes and signs one group of one record.
func BenchmarkEncode(b *testing.B) {
	for _, tokens := range []int{1, 10_000, 1_000_000} {
		b.Run(fmt.Sprintf("tokens=%d", tokens), func(b *testing.B) {
			index := crypto.NewIndexID()
			s := newSession(crypto.NewSessionID(), index, 1, crypto.NewSecret())
			signer := crypto.NewSigner(crypto.UserID{}, crypto.NewSecret())
			records := []Record{{Kind: KindTombstone, Seq: 1, Payload: make([]byte, 6+16*tokens)}}
			var enc encoder
			b.SetBytes(int64(len(records[0].Payload)))
			b.ReportAllocs()
			for b.Loop() {
				enc.group(s, &header{Index: index, Group: 1, FirstSeq: 1, Count: 1}, records, []*crypto.Signer{signer})
			}
		})
	}
}

// BenchmarkReplay reads 10,000 groups of one record each, of one id.
func BenchmarkReplay(b *testing.B) {
	const groups = 10_000
	w := newWorld(b, vfs.NewMem())
	l := New(Config{DB: w.db, Index: w.index, Epoch: w.epoch, MapKey: w.mapKey, Publish: func(Position, int, []*Entry) {}}, Position{})
	for range groups {
		w.append(l, &Entry{Kind: KindTombstone, Signer: w.root, Payload: make([]byte, 22)})
	}
	b.ReportAllocs()
	for b.Loop() {
		at, err := Replay(w.source(), Position{}, func(Position, []Replayed) error { return nil })
		if err != nil || at.Group != groups {
			b.Fatal(at, err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/groups, "µs/group")
}
