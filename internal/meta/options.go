package meta

import (
	"cmp"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// formatVersion is the newest format that Pebble v2.1.7 calls stable. It is
// named, so that a newer Pebble does not move a store to a format that this one
// cannot read. It includes checksummed offsets in the log (WAL sync chunks),
// which tell damage in its middle from a torn end. A newer format must not need a
// compaction on the way to it: none runs before Open has ended (scheduler).
const formatVersion = pebble.FormatValueSeparation

const (
	// memTableSize is how many bytes are kept before they become a table. A
	// batch of half of it or more gets a memtable of its own and moves the log on
	// to a new file, so a group of 24 MiB stays below.
	memTableSize = 64 << 20
	// memTableStop is how many full memtables may wait to be written before a
	// commit waits as well: 256 MiB, ten of the largest groups.
	memTableStop = 4
	// l0Compact and l0Stop are in tables one above the other. Compactions fall
	// behind at worst for a while; a commit is not made to wait for them.
	l0Compact = 4
	l0Stop    = 1000
	// maxOpenFiles bounds descriptors. Tables are few: everything here is small
	// or short-lived.
	maxOpenFiles     = 256
	defaultCacheSize = 8 << 20
)

// tuning makes rotations cheap for tests; zero values stand for the constants
// above.
type tuning struct {
	memTableSize    uint64
	maxManifestSize int64
	l0Compact       int
}

func (o Options) pebble(fs *owned, log *slog.Logger) *pebble.Options {
	size := cmp.Or(o.tune.memTableSize, memTableSize)
	cache := o.CacheSize
	if cache <= 0 {
		cache = defaultCacheSize
	}
	logger := pebbleLogger{log: log, fail: fs.Fail}
	p := &pebble.Options{
		FS:       fs,
		ReadOnly: o.ReadOnly,
		// A directory that lost the name of its manifest is damaged, not empty.
		ErrorIfNotExists:   true,
		FormatMajorVersion: formatVersion,
		// Pebble takes what a memtable holds out of the cache's budget, which
		// would leave no cache at all: so the memtable's share is added.
		Cache:                       pebble.NewCache(cache + int64(size)),
		MemTableSize:                size,
		MemTableStopWritesThreshold: memTableStop,
		L0CompactionThreshold:       cmp.Or(o.tune.l0Compact, l0Compact),
		L0StopWritesThreshold:       l0Stop,
		MaxOpenFiles:                maxOpenFiles,
		MaxManifestFileSize:         o.tune.maxManifestSize,
		// Pebble begins to collect them in its Open, of the tables that it made of the
		// log, and does not wait for that when the Open fails after it: what is left
		// running divides by the zero shards of a closed cache and ends the process.
		// Without them no table is dropped, and none compacted, for the tombstones
		// alone. For logs of 250 MiB between two truncations that took 1.07 times the
		// room; of 1,000 MiB, 1.6 times: 3.9 GiB.
		DisableTableStats: true,
		Logger:            logger,
		EventListener:     logger.listener(),
	}
	// Values are sealed: they do not compress.
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionNone })
	return p
}
