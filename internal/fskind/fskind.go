// Package fskind tells on what kind of file system a folder is, as far as the
// operating system says: whether an overwrite in place reaches the blocks that it
// overwrites, or goes to others and leaves the old ones as they are.
package fskind

import "github.com/cockroachdb/pebble/v2/vfs"

// Kind is a file system as seen.
type Kind struct {
	// Name is the kind, "unknown" when nobody says.
	Name string
	// Keeps says why an overwrite leaves the old bytes on the disk; "": nothing is
	// known that would.
	Keeps string
}

// Of looks at the file system below fs on which dir is. One that is not the
// operating system's is unknown.
func Of(fs vfs.FS, dir string) Kind {
	if vfs.Root(fs) != vfs.Default {
		return Kind{Name: "unknown"}
	}
	return of(dir)
}
