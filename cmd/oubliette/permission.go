package main

import (
	"fmt"

	"oubliette/engine"
)

// permissions are their names, in the order in which they are told.
var permissions = []struct {
	name string
	perm engine.Permission
}{
	{"read", engine.PermRead},
	{"write", engine.PermWrite},
	{"both", engine.PermRead | engine.PermWrite},
}

func parsePermission(name string) (engine.Permission, error) {
	for _, p := range permissions {
		if p.name == name {
			return p.perm, nil
		}
	}
	if name == "" {
		return 0, fmt.Errorf("%w: --perm is needed: read, write or both", errUsage)
	}
	return 0, fmt.Errorf("%w: --perm knows no %q, only read, write and both", errUsage, name)
}

func formatPermission(perm engine.Permission) string {
	for _, p := range permissions {
		if p.perm == perm {
			return p.name
		}
	}
	return fmt.Sprintf("%#x", uint8(perm)) // of a later version
}
