package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Options tune a store. The zero value is good.
type Options struct {
	// FS is the file system; default: the operating system's.
	FS vfs.FS
	// Logger takes what happens in the background; default: nothing. No id, no
	// token and no key is ever logged.
	Logger *slog.Logger
	// ReadOnly opens an existing store and changes nothing in it, not even by
	// recovery. Every writing call answers ErrReadOnly.
	ReadOnly bool
	// NoSync leaves out the syncs of the log and of new rows. A crash of the
	// process then loses acknowledged upserts and deletes, not only a power
	// loss: the log buffers in memory. After a power loss items may also be
	// there whose bytes are not: reading one is a CorruptionError until it is
	// upserted again or deleted. What maintenance does is synced all the same,
	// and what was durable before stays so.
	NoSync bool
	// SegmentSize is when a segment is closed, in bytes; default 256 MiB,
	// allowed are 64 KiB to 64 GiB.
	SegmentSize int64
	// CacheSize bounds the opened index blocks kept in memory, in bytes;
	// default 64 MiB.
	CacheSize int64
	// MemoryLimit is when an index's memtables and pending tombstones are
	// applied at once, in bytes; at four times as much writers wait. Default
	// 64 MiB, allowed are 64 KiB to 80 MiB.
	MemoryLimit int64
	// PurgeWithin is how long after a delete, or after an item's time has come, its bytes may stay on disk, while a
	// writer's keys are at hand; default 10 s, at least 1 ms. Applying begins at
	// half of it at the latest. What it can be is up to the disk: the bytes that
	// die within it have to be overwritten and synced in the other half.
	PurgeWithin time.Duration
	// Ledger keeps every delete outside of the store, synced before the delete is
	// committed: one more sync a group of deletes. A store that is opened behind its
	// ledger, because it was put back to an earlier state, takes the deletes that it
	// lacks from there before anything can be read. Once given it has to be given
	// each time that the store is opened for writing (ErrLedgerRequired); given to a
	// store that has never kept one, which is opened for reading, it is
	// ledger.ErrNotOurs. The errors of package ledger say why one is refused.
	Ledger LedgerOpener
	// KeepStatus is how long the store keeps, for Status, what each delete has found
	// and when it was applied, erased and its segments rewritten: some six bytes a
	// call and some 200 a round of maintenance. Default 30 days; negative: it keeps
	// none. Whether a delete has been erased is known for good.
	KeepStatus time.Duration
	// EventListener is told what happens in the background. Its functions must
	// not call the store.
	EventListener *EventListener
	// Now is the clock of receipts and certificates, and by it items expire
	// (Item.ExpiresAt); default time.Now. It is called by several goroutines at once,
	// and by reads for each of their steps. The deadline runs on the monotonic clock
	// whatever Now says.
	Now func() time.Time

	// restoring: the store is being made of a backup, and not used. Its ledger is left
	// alone.
	restoring bool
}

// EventListener is told what maintenance does. Any of its functions may be nil.
// Deleted and Stalled are called by the callers of Delete and of writers that wait,
// several at once; Overdue by a timer; RolledBack by Open; the others by one goroutine
// an index.
type EventListener struct {
	Deleted    func(DeleteInfo)           // a delete is durable and hidden
	Applied    func(ApplyInfo)            // the rows of deletes have been found and placed
	Erased     func(EraseInfo)            // dead bytes have been overwritten and synced
	Overdue    func(OverdueInfo)          // deletes have not been erased within PurgeWithin
	Rewritten  func(RewriteInfo)          // live rows have moved to a new segment
	Sealed     func(segment string)       // a segment has got its index
	Stalled    func(index string)         // writers wait for memory
	Waiting    func(index string)         // an erasure is due and waits for a writer's key
	RolledBack func(RollbackInfo)         // Open has found that an index was put back to an earlier state
	Failed     func(op string, err error) // a background step failed; it is tried again
}

// DeleteInfo is one delete.
type DeleteInfo struct {
	Index string // id, hexadecimal
	Seq   uint64
	IDs   int // distinct
}

// ApplyInfo is one round of looking for what deletes and newer versions have
// killed.
type ApplyInfo struct {
	Index    string // id, hexadecimal
	Through  uint64 // the last sequence number that it covers
	Calls    int    // deletes
	Rows     uint64 // that they have found; older versions of items are not among them
	Duration time.Duration
}

// OverdueInfo is what has not been erased in time: once when it becomes so.
type OverdueInfo struct {
	Index  string        // id, hexadecimal
	IDs    uint64        // deleted more than PurgeWithin ago
	Oldest time.Duration // since the oldest delete
}

// EraseInfo is one round of erasure.
type EraseInfo struct {
	Index    string // id, hexadecimal
	Segments int
	Bytes    uint64 // overwritten
	Duration time.Duration
}

// RewriteInfo is one rewrite.
type RewriteInfo struct {
	Index    string // id, hexadecimal
	Inputs   int    // segments, all destroyed
	Rows     int    // moved
	Bytes    uint64 // of their new segment; 0 when nothing lived
	Duration time.Duration
}

const (
	defaultSegmentSize = 256 << 20
	minSegmentSize     = 64 << 10
	defaultCacheSize   = 64 << 20
	defaultMemoryLimit = 64 << 20
	defaultPurgeWithin = 10 * time.Second
	defaultKeepStatus  = 30 * 24 * time.Hour
	minPurgeWithin     = time.Millisecond
	minMemoryLimit     = 64 << 10
	// maxMemoryLimit keeps what one apply commits within one batch: at four
	// times as much, 9.6 million tombstones wait, whose extents take 154 MB, and what
	// is noted of their calls 60 MB.
	maxMemoryLimit = 80 << 20
	// hardFactor times MemoryLimit is where writers wait.
	hardFactor = 4
)

// maxLog is how many bytes of log may need replaying before the active segment is
// closed to let it be truncated. It is set by tests alone.
var maxLog int64 = 64 << 20

// withDefaults answers a copy with every unset option set.
func (o *Options) withDefaults() *Options {
	var c Options
	if o != nil {
		c = *o
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.SegmentSize == 0 {
		c.SegmentSize = defaultSegmentSize
	}
	if c.CacheSize == 0 {
		c.CacheSize = defaultCacheSize
	}
	if c.MemoryLimit == 0 {
		c.MemoryLimit = defaultMemoryLimit
	}
	if c.PurgeWithin == 0 {
		c.PurgeWithin = defaultPurgeWithin
	}
	if c.KeepStatus == 0 {
		c.KeepStatus = defaultKeepStatus
	}
	if c.EventListener == nil {
		c.EventListener = &EventListener{}
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &c
}

// validate reports every option that cannot be meant, all together.
func (o *Options) validate() error {
	var errs []error
	bad := func(format string, args ...any) {
		errs = append(errs, fmt.Errorf("option "+format+": %w", append(args, ErrInvalid)...))
	}
	if o.SegmentSize < minSegmentSize || o.SegmentSize > 64<<30 {
		bad("SegmentSize %d, allowed are %d to %d", o.SegmentSize, minSegmentSize, int64(64<<30))
	}
	if o.CacheSize < 0 {
		bad("CacheSize %d", o.CacheSize)
	}
	if o.MemoryLimit < minMemoryLimit || o.MemoryLimit > maxMemoryLimit {
		bad("MemoryLimit %d, allowed are %d to %d", o.MemoryLimit, minMemoryLimit, maxMemoryLimit)
	}
	if o.PurgeWithin < minPurgeWithin {
		bad("PurgeWithin %v, at least %v", o.PurgeWithin, minPurgeWithin)
	}
	return errors.Join(errs...)
}
