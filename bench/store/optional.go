package store

import "context"

// Settler is a store with background work that earlier calls leave behind.
type Settler interface {
	// Settle waits for it.
	Settle(ctx context.Context) error
}

// Settle waits for a store's background work, if it has any.
func Settle(ctx context.Context, s Store) error {
	if w, ok := s.(Settler); ok {
		return w.Settle(ctx)
	}
	return nil
}

// Sealer is a store that can say what its items look like in its files. Of one
// that cannot, files are searched for the items' own bytes.
type Sealer interface {
	// SealedBytes answers, for those of the ids that have an item, the runs of
	// bytes by which it stands in the store's files; of a kind with Reveal, in
	// those that it has revealed.
	SealedBytes(ctx context.Context, ids []string) ([][]byte, error)
}

// Checker is a store that can look for damage in itself.
type Checker interface {
	// Check reads everything. Whatever is not as it should be is an error.
	Check(ctx context.Context) error
}

// Accountant is a store that answers for its deletes one by one.
type Accountant interface {
	// DeleteFor deletes as Delete does and answers a receipt.
	DeleteFor(ctx context.Context, ids []string) (receipt []byte, err error)
	// Account tells what has become of the delete of a receipt.
	Account(ctx context.Context, receipt []byte) (Account, error)
}

// Account is what has become of a delete.
type Account struct {
	Erased  bool // no byte of what it has deleted is left
	Counted bool // Found is known
	Found   int  // how many items were there to be deleted
}

// Postponer is a store that hides what is deleted first and looks for it later.
type Postponer interface {
	// Pending answers how many deleted ids it has not looked for yet.
	Pending() int
}

// Worker is a store with work of its own beside erasing and compacting, which a
// crash should find under way: backups, changes of keys.
type Worker interface {
	Chores() []Chore
}

// Chore is work of a store's own. It may be called at any time, while all
// other calls go on; two chores of a store never run at once.
type Chore struct {
	// Phase is what the store is doing meanwhile, in one word or two that fit
	// behind "killed while".
	Phase string
	Do    func(ctx context.Context) error
}
