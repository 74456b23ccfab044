package store

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Kind is a kind of store.
type Kind struct {
	Name string
	// Open opens the store in a folder, and makes it when there is none.
	Open func(ctx context.Context, s Setup) (Store, error)
	// OpenReadOnly, unless nil, opens a store that is there and changes nothing
	// in it.
	OpenReadOnly func(ctx context.Context, s Setup) (Store, error)
	// Reveal, unless nil, writes what the files of the folder s.Dir hold, decrypted,
	// into the folder to, under the same names: for a store that encrypts whole files,
	// in which no item's bytes can be told apart. The store may be open.
	Reveal   func(s Setup, to string) error
	Promises Promises
	// Module is the path of the Go module that the store is of, Settings a line on
	// how it is set up here. A run prints them, with the module's version.
	Module, Settings string
	// OnFS: the store does all its work on Setup.FS, so that its writes can be
	// counted.
	OnFS bool
	// Expires: the store heeds Item.ExpiresAt.
	Expires bool
}

// Setup is where and how a store is opened.
type Setup struct {
	// Dir is the store's own folder, which is there. It is searched for what
	// should be gone.
	Dir string
	// Aside is a folder for what the store's user keeps apart from it, say a key
	// ring or a ledger. It is not searched. Empty: nothing is kept apart.
	Aside string
	// FS is the file system for a store that can work on any; nil: the operating
	// system's.
	FS vfs.FS
	// Key is what the store is to seal under. It is the same whenever the same
	// folder is opened.
	Key [32]byte
	// PurgeWithin is how long bytes of a deleted item may stay, for a store that
	// takes such a deadline. 0: as the store comes.
	PurgeWithin time.Duration
	// Busy asks for sizes and times that make background work frequent: small
	// files and buffers, short deadlines.
	Busy bool
}

// Promises are what a store says that its users may count on. Beyond them a
// crash run holds every store to this: what an acknowledged call has done is
// there when the store is opened again, whole, and nothing else.
type Promises struct {
	// Atomic: of a call all is done or nothing, on any crash. Otherwise that
	// holds for each item of it.
	Atomic bool
	// Erases: when Erase has returned, no file has a byte of an item that had
	// been deleted or replaced before.
	Erases bool
	// CloseWaits: Close may be called while others call. It waits for those, and
	// whoever comes later gets an error.
	CloseWaits bool
	// Text says in a sentence what the store's own documents promise about
	// erasing.
	Text string
}
