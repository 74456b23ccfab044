//go:build !unix

package engine

// isReadOnlyDisk tells whether a file could not be opened for writing because
// its file system is mounted for reading: elsewhere that is a permission.
func isReadOnlyDisk(error) bool { return false }
