//go:build !linux

package segment

import "github.com/cockroachdb/pebble/v2/vfs"

// punch does nothing where holes can't be punched: x holds zeros already.
func punch(vfs.File, Extent) {}
