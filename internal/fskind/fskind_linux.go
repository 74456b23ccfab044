package fskind

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

const copies = "it writes to other blocks than those that it overwrites"

// magics are the file systems that statfs(2) tells apart; linux/magic.h and the
// sources of those outside of the kernel.
var magics = map[int64]Kind{
	unix.EXT4_SUPER_MAGIC:      {Name: "ext4"}, // and ext2, ext3
	unix.XFS_SUPER_MAGIC:       {Name: "xfs"},
	unix.TMPFS_MAGIC:           {Name: "tmpfs"},
	unix.OVERLAYFS_SUPER_MAGIC: {Name: "overlay"},
	unix.NFS_SUPER_MAGIC:       {Name: "nfs"},
	unix.FUSE_SUPER_MAGIC:      {Name: "fuse"},
	unix.BTRFS_SUPER_MAGIC:     {Name: "btrfs", Keeps: copies},
	unix.F2FS_SUPER_MAGIC:      {Name: "f2fs", Keeps: copies},
	unix.NILFS_SUPER_MAGIC:     {Name: "nilfs2", Keeps: copies},
	0x2fc12fc1:                 {Name: "zfs", Keeps: copies},
	0xca451a4e:                 {Name: "bcachefs", Keeps: copies},
}

func of(dir string) Kind {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Kind{Name: "unknown"}
	}
	kind, ok := magics[int64(st.Type)&0xffffffff]
	if !ok {
		return Kind{Name: fmt.Sprintf("unknown (%#x)", st.Type)}
	}
	if kind.Name == "ext4" && journalsData(dir) {
		kind.Keeps = "it writes data to its journal first (data=journal)"
	}
	return kind
}

// journalsData tells whether dir's mount writes file contents through its journal.
func journalsData(dir string) bool {
	var st unix.Stat_t
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || unix.Stat(dir, &st) != nil {
		return false
	}
	return mountJournalsData(string(table), fmt.Sprintf("%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev)))
}

// mountJournalsData looks a device up in a table of mounts (proc(5), mountinfo): its
// third field is the device, the last the options of the file system.
func mountJournalsData(table, device string) bool {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[2] != device {
			continue
		}
		for option := range strings.SplitSeq(fields[len(fields)-1], ",") {
			if option == "data=journal" {
				return true
			}
		}
	}
	return false
}
