package proof

import "slices"

// Limit is something that no certificate covers. The code stays, whatever
// becomes of the text.
type Limit struct{ Code, Text string }

// limits stand in every certificate, all of them and in this order: a
// certificate that leaves one out claims more than was done, and is refused.
var limits = [...]Limit{
	{"device-remapping", "Cells that the drive has remapped or keeps aside: solid-state drives write elsewhere than where they are told to, and may keep what was there before."},
	{"copies-outside", "Backups, snapshots of the host or of the volume, replicas and copies of files, made outside of the store or before the delete."},
	{"memory-images", "Swap, hibernation images, core dumps and the memory of processes."},
	{"tokens-and-sizes", "Keyed tokens of ids, sequence numbers, and places and sizes of fields: they stay in the indexes of segment files until these are rewritten, sealed, then in the blocks given back until something else is written there; and in the files of the store's database. They open no item."},
	{"copying-file-system", "File systems that copy on write, share blocks between files or journal data, where they were not recognised: they write elsewhere than in place."},
}

// NotCovered is what no certificate covers, as it stands in each.
func NotCovered() []Limit { return slices.Clone(limits[:]) }

func notCovered(c *coder) {
	c.list("not_covered", len(limits), len(limits), len(limits), func(i int, name string) {
		c.object(name, func() {
			c.constant("code", limits[i].Code)
			c.constant("text", limits[i].Text)
		})
	})
}

// copying are file systems that never, or not by default, overwrite in place.
var copying = []string{"apfs", "bcachefs", "btrfs", "f2fs", "nilfs2", "refs", "zfs"}

// OverwritesInPlace tells whether a kind of file system is none of those that are
// known to write elsewhere. On these nothing is certified.
func OverwritesInPlace(kind string) bool { return !slices.Contains(copying, kind) }
