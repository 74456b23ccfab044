package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// diskBlocks is how many bytes of disk the files below dir take, as du counts:
// holes take none.
func diskBlocks(dir string) (bytes float64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		switch err := syscall.Lstat(path, &st); err {
		case nil:
			bytes += 512 * float64(st.Blocks)
		case syscall.ENOENT: // removed meanwhile
		default:
			return fmt.Errorf("stat %s: %w", path, err)
		}
		return nil
	})
	return bytes, err
}

// fileSystem names the file system of dir.
func fileSystem(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return "unknown"
	}
	names := map[int64]string{0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0x01021994: "tmpfs", 0x2FC12FC1: "zfs", 0x794c7630: "overlayfs"}
	if n, ok := names[int64(st.Type)]; ok {
		return n
	}
	return fmt.Sprintf("file system %#x", st.Type)
}
