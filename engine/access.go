package engine

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"oubliette/crypto"
	"oubliette/internal/meta"
	"oubliette/proof"
)

// keyring is what a caller's key has opened: the keys of one principal of one
// index in one epoch. It is immutable and shared.
type keyring struct {
	index  crypto.IndexID
	user   crypto.UserID
	perm   crypto.Permission
	epoch  uint64
	id     crypto.Secret
	mapKey crypto.Secret
	reader crypto.ReaderKey // zero without PermRead
	signer *crypto.Signer   // nil without PermWrite

	once sync.Once // makes what follows
	docs *proof.Signer
	err  error // why there is none
}

// documents makes documents out in the name of the keyring's principal. record is
// its epoch's.
func (k *keyring) documents(record *crypto.EpochRecord) (*proof.Signer, error) {
	k.once.Do(func() {
		if k.signer == nil {
			k.err = ErrPermission
			return
		}
		k.docs, k.err = proof.NewSigner(k.signer, record)
	})
	return k.docs, k.err
}

// author is in whose name that is.
func (k *keyring) author(record *crypto.EpochRecord) proof.Author {
	if s, err := k.documents(record); err == nil {
		return s.Author()
	}
	return proof.Author{Index: k.index, Epoch: k.epoch, User: k.user}
}

// access unwraps keys, and remembers what it has unwrapped: opening a grant
// costs a decapsulation, a look into the cache a MAC.
type access struct {
	meta     *meta.DB
	readOnly bool

	mu    sync.RWMutex  // held for reading while keys are unwrapped, for writing by wipe
	over  bool          // wiped: nothing is unwrapped any more
	salt  crypto.Secret // of this process: names keys in the cache without holding them
	cache *lru.Cache[[sha256.Size]byte, *keyring]
}

// cachedKeys is how many unwrapped keyrings a store keeps.
const cachedKeys = 1024

func newAccess(db *meta.DB, readOnly bool) *access {
	c, err := lru.New[[sha256.Size]byte, *keyring](cachedKeys)
	if err != nil {
		panic("a cache of positive size: " + err.Error())
	}
	return &access{meta: db, readOnly: readOnly, salt: crypto.NewSecret(), cache: c}
}

// name is the cache's name of a caller: a MAC under this process's salt over
// key, index, epoch and user.
func (a *access) name(c *catalogued, key Key, user UserID) (n [sha256.Size]byte) {
	m := hmac.New(sha256.New, a.salt.Reveal())
	m.Write(key.Reveal())
	m.Write(c.id[:])
	m.Write(c.record.Signature[:]) // names the epoch
	m.Write(user[:])
	m.Sum(n[:0])
	return n
}

// unwrap answers what key opens of an index. A key that opens nothing is
// ErrWrongKey, and so is a user whom the index does not know.
func (a *access) unwrap(c *catalogued, key Key, user UserID) (*keyring, error) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	if a.over {
		return nil, fmt.Errorf("store: %w", ErrClosed)
	}
	name := a.name(c, key, user)
	if ring, ok := a.cache.Get(name); ok {
		return ring, nil
	}
	ring, err := c.unwrap(key, user)
	if err != nil {
		return nil, err
	}
	if err := a.anchor(c, key, user); err != nil {
		ring.wipe()
		return nil, err
	}
	if other, ok, _ := a.cache.PeekOrAdd(name, ring); ok {
		ring.wipe() // two callers came at once: one keyring is enough
		return other, nil
	}
	return ring, nil
}

// unwrapRoot opens root's keys with the index key. That the record is root's is
// shown by root's signing key, which the index key derives: a record that
// somebody else signed verifies under another key and is not told apart from a
// wrong index key.
func (c *catalogued) unwrapRoot(key Key) (*keyring, error) {
	g, signer, err := c.rootGrant(key)
	if err != nil {
		return nil, err
	}
	defer g.Third.Wipe() // the reader key has what it needs of its seed
	return c.rootRing(g, signer)
}

// rootGrant opens root's grant.
func (c *catalogued) rootGrant(key Key) (g crypto.Grant, _ *crypto.Signer, err error) {
	signer := crypto.RootSigner(key, c.id)
	defer func() {
		if err != nil {
			signer.Wipe()
		}
	}()
	root, ok := c.record.User(crypto.UserID{})
	if signer.Public() != c.record.Root || !ok || root.Sign != c.record.Root {
		return g, nil, fmt.Errorf("index %q: %w", c.name, ErrWrongKey)
	}
	p, err := crypto.DerivePrincipal(key, c.id, crypto.UserID{})
	if err != nil {
		return g, nil, err
	}
	g, err = c.openGrant(p, crypto.GrantRead)
	return g, signer, err
}

func (c *catalogued) rootRing(g crypto.Grant, signer *crypto.Signer) (*keyring, error) {
	reader, err := crypto.NewReaderKey(g.Third)
	if err != nil {
		g.Wipe()
		signer.Wipe()
		return nil, err
	}
	return &keyring{
		index: c.id, perm: crypto.PermRead | crypto.PermWrite, epoch: c.record.Epoch,
		id: g.ID, mapKey: g.Map, reader: reader, signer: signer,
	}, nil
}

// with is the keyring with somebody's reader key beside it.
func (k *keyring) with(reader crypto.ReaderKey) *keyring {
	return &keyring{
		index: k.index, user: k.user, perm: k.perm, epoch: k.epoch,
		id: k.id, mapKey: k.mapKey, reader: reader, signer: k.signer,
	}
}

// wipe overwrites what can be; nobody uses the keyring any more.
func (k *keyring) wipe() {
	k.id.Wipe()
	k.mapKey.Wipe()
	if k.signer != nil {
		k.signer.Wipe()
	}
}

// wipe forgets every unwrapped key. Call it when nothing uses them any more.
func (a *access) wipe() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.over = true
	for _, ring := range a.cache.Values() {
		ring.wipe()
	}
	a.cache.Purge()
	a.salt.Wipe()
}

// forget drops every keyring of an index's epoch. Calls that hold one go on.
func (a *access) forget(epoch uint64, id crypto.IndexID) {
	for _, name := range a.cache.Keys() {
		if ring, ok := a.cache.Peek(name); ok && ring.index == id && ring.epoch <= epoch {
			a.cache.Remove(name)
		}
	}
}

// allow tells whether the keyring may do what a call needs.
func (k *keyring) allow(need crypto.Permission) error {
	if k.perm&need != need {
		return fmt.Errorf("user %s: %w", k.user, ErrPermission)
	}
	return nil
}
