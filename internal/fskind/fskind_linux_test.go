package fskind

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func TestKindOfWhatIsThere(t *testing.T) {
	if k := Of(vfs.Default, "/proc"); k.Name == "ext4" || k.Keeps != "" {
		t.Errorf("/proc is %+v", k)
	}
	if k := Of(vfs.Default, "/dev/shm"); k.Name != "tmpfs" && k.Name != "unknown" {
		t.Logf("/dev/shm is %+v", k) // no tmpfs everywhere
	}
	if k := Of(vfs.Default, t.TempDir()); k.Name == "" {
		t.Errorf("a temporary folder is %+v", k)
	}
	if k := Of(vfs.Default, "/no such folder"); k.Name != "unknown" {
		t.Errorf("a folder that is not there is %+v", k)
	}
	if k := Of(vfs.NewMem(), "/"); k.Name != "unknown" || k.Keeps != "" {
		t.Errorf("memory is %+v", k)
	}
}

func TestDataThroughTheJournalIsSeen(t *testing.T) {
	const table = `24 30 0:22 / /proc rw,nosuid - proc proc rw
30 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro,data=journal
31 30 8:2 / /srv rw,relatime shared:2 master:1 - ext4 /dev/sda2 rw,data=ordered
short 1 8:3
`
	for device, want := range map[string]bool{"8:1": true, "8:2": false, "8:3": false, "0:22": false} {
		if got := mountJournalsData(table, device); got != want {
			t.Errorf("%s: %v", device, got)
		}
	}
}

func TestFileSystemsThatKeepWhatIsOverwritten(t *testing.T) {
	for _, k := range magics {
		keeps := map[string]bool{"btrfs": true, "zfs": true, "f2fs": true, "nilfs2": true, "bcachefs": true}[k.Name]
		if keeps != (k.Keeps != "") {
			t.Errorf("%+v", k)
		}
	}
}
