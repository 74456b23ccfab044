package peers

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"

	"oubliette/engine"
)

// keyRing keeps, in a file outside of the store, every key that an index may
// have had: one is written down and synced before the store hears of it, so
// that whatever a crash leaves can be opened. It keeps the keys as they are: it
// serves a test, and is no model of a key store.
type keyRing struct {
	mu    sync.Mutex
	path  string
	roots []engine.Key // oldest first
	users []ringUser
}

type ringUser struct {
	id  engine.UserID
	key engine.Key
}

// openKeyRing reads a ring, or begins one with the first key.
func openKeyRing(path string, first engine.Key) (*keyRing, error) {
	r := &keyRing{path: path, roots: []engine.Key{first}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(b) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			// A crash has cut it: the store has not heard of that key.
			return r, os.Truncate(path, int64(len(b)-len(line)))
		}
		if err := r.read(string(line)); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return r, nil
}

func (r *keyRing) read(line string) error {
	var what, id, key string
	if _, err := fmt.Sscanln(line, &what, &id, &key); err != nil {
		return err
	}
	k, err := engine.ParseKey(key)
	if err != nil {
		return err
	}
	if what == "root" {
		r.roots = append(r.roots, k)
		return nil
	}
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != len(engine.UserID{}) {
		return fmt.Errorf("user id %q", id)
	}
	r.users = append(r.users, ringUser{engine.UserID(b), k})
	return nil
}

// ringTries is how many of the newest keys are tried.
const ringTries = 12

// newest answers the newest keys of root, the newest first.
func (r *keyRing) newest() []engine.Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := slices.Clone(r.roots[max(0, len(r.roots)-ringTries):])
	slices.Reverse(keys)
	return keys
}

func (r *keyRing) newestUsers() []ringUser {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.users[max(0, len(r.users)-ringTries):])
}

func (r *keyRing) addRoot(secret [32]byte) (engine.Key, error) {
	key, err := engine.KeyFromBytes(secret[:])
	if err != nil {
		return key, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.append(fmt.Sprintf("root - %x\n", secret)); err != nil {
		return key, err
	}
	r.roots = append(r.roots, key)
	return key, nil
}

func (r *keyRing) addUser(id engine.UserID, secret [32]byte) (engine.Key, error) {
	key, err := engine.KeyFromBytes(secret[:])
	if err != nil {
		return key, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.append(fmt.Sprintf("user %x %x\n", id[:], secret)); err != nil {
		return key, err
	}
	r.users = append(r.users, ringUser{id, key})
	return key, nil
}

func (r *keyRing) append(line string) error {
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.WriteString(line)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
