package peers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver

	"oubliette/bench/store"
)

func init() {
	register(store.Kind{
		Name: "sqlite", Module: "modernc.org/sqlite", Settings: strings.Join(sqlitePragmas, ", ") + ", else defaults",
		Open: func(ctx context.Context, s store.Setup) (store.Store, error) { return openSQLite(ctx, s) },
		Promises: store.Promises{
			Atomic: true,
			Text:   "with secure_delete, that deleted content is overwritten with zeros in the database; nothing about the write-ahead log, which is written over from its start",
		},
	})
}

const sqliteFile = "sqlite.db"

// sqlitePragmas are set on every connection: a write-ahead log that is synced by
// every transaction, deleted content overwritten, and nothing in files of
// SQLite's own outside of the store's folder.
var sqlitePragmas = []string{
	"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "secure_delete(ON)", "temp_store(MEMORY)",
}

// sqliteStore is SQLite with sealed values, one row an item.
type sqliteStore struct {
	db   *sql.DB
	seal *sealer
	// write is held by whoever changes something: SQLite has one writer at a
	// time, and its own waiting is by sleeping.
	write sync.Mutex
}

func openSQLite(ctx context.Context, s store.Setup) (*sqliteStore, error) {
	q := url.Values{"_pragma": sqlitePragmas, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+filepath.ToSlash(filepath.Join(s.Dir, sqliteFile))+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS items (id TEXT PRIMARY KEY NOT NULL, sealed BLOB NOT NULL)")
	if err == nil && s.Busy {
		_, err = db.ExecContext(ctx, "PRAGMA wal_autocheckpoint = 100")
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteStore{db: db, seal: newSealer(s.Key)}, nil
}

func (s *sqliteStore) Upsert(ctx context.Context, items []Item) error {
	parts := s.seal.sealAll(oneKey{}, items)
	return s.each(ctx, "INSERT INTO items (id, sealed) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET sealed = excluded.sealed",
		len(parts), func(i int) []any { return []any{string(parts[i].key), parts[i].value} })
}

func (s *sqliteStore) Delete(ctx context.Context, ids []string) error {
	return s.each(ctx, "DELETE FROM items WHERE id = ?", len(ids), func(i int) []any { return []any{ids[i]} })
}

// each runs a statement n times in one transaction.
func (s *sqliteStore) each(ctx context.Context, statement string, n int, args func(i int) []any) error {
	s.write.Lock()
	defer s.write.Unlock()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // of what has been committed it answers an error, and nothing else
	st, err := tx.PrepareContext(ctx, statement)
	if err != nil {
		return err
	}
	defer st.Close()
	for i := range n {
		if _, err := st.ExecContext(ctx, args(i)...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func (s *sqliteStore) Get(ctx context.Context, ids []string) (out []Item, err error) {
	err = s.sealed(ctx, ids, func(id string, sealed []byte) error {
		it, err := s.seal.openOne([]byte(id), sealed)
		out = append(out, it)
		return err
	})
	return out, err
}

// SealedBytes answers the values as they are kept. One that does not fit on a
// page goes on over others; those runs are a few KiB long and found as pieces.
func (s *sqliteStore) SealedBytes(ctx context.Context, ids []string) (out [][]byte, err error) {
	err = s.sealed(ctx, ids, func(_ string, sealed []byte) error {
		out = append(out, sealed)
		return nil
	})
	return out, err
}

// sealed hands over the values that are there.
func (s *sqliteStore) sealed(ctx context.Context, ids []string, do func(id string, sealed []byte) error) error {
	st, err := s.db.PrepareContext(ctx, "SELECT sealed FROM items WHERE id = ?")
	if err != nil {
		return err
	}
	defer st.Close()
	for _, id := range ids {
		var sealed []byte
		err := st.QueryRowContext(ctx, id).Scan(&sealed)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err == nil {
			err = do(id, sealed)
		}
		if err != nil {
			return fmt.Errorf("sqlite: id %q: %w", id, err)
		}
	}
	return nil
}

func (s *sqliteStore) Items(ctx context.Context) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		rows, err := s.db.QueryContext(ctx, "SELECT id, sealed FROM items")
		if err != nil {
			yield(Item{}, err)
			return
		}
		defer rows.Close()
		for rows.Next() {
			var id string
			var sealed []byte
			var it Item
			if err = rows.Scan(&id, &sealed); err == nil {
				it, err = s.seal.openOne([]byte(id), sealed)
			}
			if !yield(it, err) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Item{}, err)
		}
	}
}

// Erase brings the write-ahead log into the database, which overwrites there
// what was deleted, and cuts the log to no length. SQLite cannot say what that
// has erased.
func (s *sqliteStore) Erase(ctx context.Context) (uint64, error) {
	s.write.Lock()
	defer s.write.Unlock()
	return 0, s.checkpoint(ctx)
}

// checkpoint tries again while a reader is in the way.
func (s *sqliteStore) checkpoint(ctx context.Context) error {
	for end := time.Now().Add(pollWithin); ; {
		var busy, pages, moved int
		err := s.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved)
		if err != nil || busy == 0 {
			return err
		}
		if time.Now().After(end) {
			return errors.New("sqlite: readers keep the checkpoint from its end")
		}
	}
}

// Compact writes the database anew.
func (s *sqliteStore) Compact(ctx context.Context) error {
	s.write.Lock()
	defer s.write.Unlock()
	if _, err := s.db.ExecContext(ctx, "VACUUM"); err != nil {
		return err
	}
	return s.checkpoint(ctx)
}

// Check runs SQLite's own check.
func (s *sqliteStore) Check(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "PRAGMA integrity_check")
	if err != nil {
		return err
	}
	defer rows.Close()
	var errs []error
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return err
		}
		if line != "ok" {
			errs = append(errs, errors.New("sqlite: "+line))
		}
	}
	return errors.Join(append(errs, rows.Err())...)
}

func (s *sqliteStore) Close() error { return s.db.Close() }
