// Package crash kills real processes that write to a real store, opens what
// they leave, and holds it against what they had been told. It takes any store
// that has the calls of [store.Store].
//
// # What a run does
//
// A child process opens the store in a folder of the real file system and works
// on it: several goroutines upsert, delete, get and scan; others erase, compact
// and do what else the store has to do. It tells its parent, over a pipe, of
// every call before it makes it, and again when the call has returned. The
// parent kills it, with SIGKILL where there is such a thing: in the middle of
// writes, within a moment of the beginning of an erasure, a compaction, a
// chore or a close, or while it opens what an earlier kill has left. What the
// child had said until then stays in the pipe, so the parent knows it all.
//
// Then another child opens the store. A recovery that panics or never ends
// takes that child with it and not the run. The parent compares all items with
// what they have to be:
//
//   - lost: an item whose upsert was acknowledged is not there, or an older
//     version of it is;
//   - returned: one is there whose delete was acknowledged, or whose time had
//     come;
//   - altered: it is not, bit for bit, what was put in;
//   - invented: nobody has put it in;
//   - half: of a call that was under way a part is done, though the store
//     promises all or nothing;
//   - a store that fails a call, finds damage in itself, answers wrongly for a
//     delete, panics or hangs.
//
// It lets the store erase and then reads every byte of every file in the
// store's folder for the bytes of every item that was deleted, replaced or has
// expired: residue. That breaks the word of a store that promises to erase, and
// is a finding about one that does not. Then the same child goes on to write,
// until it is killed. After some kills a fresh folder is begun. Before that the
// store is used for a while without a kill, and compared, erased and searched as
// it is then; and it is closed in good order, opened again, and all that once
// more.
//
// # What is searched for
//
// A store that can say by which bytes an item stands in its files
// ([store.Sealer]) is asked right before each call that takes the item away.
// Of each run of bytes there are pieces of 32, one in each 256 and one at the
// end: whatever survives of 287 bytes in a row holds a whole piece, and so does
// a run that survives whole. Of a store that cannot say it the items' own
// vectors and contents are searched for. Of a kind that encrypts whole files
// (store.Kind's Reveal) those are searched decrypted as well.
//
// # What it does not show
//
// A kill takes the process and leaves the operating system: what was written
// and not synced is still there. So it does not show a missing sync; only a
// power cut, or a file system that simulates one, does. Files are searched,
// not the blocks that the file system has freed.
//
// A run prints its seed. From the same seed and the same state of the store
// the goroutines of a child choose the same calls; the moments of the kills,
// and how the goroutines' calls mingle, are the machine's and come once.
//
// # Using it
//
// The program that calls [Run] is started again as the child. So its main, or
// its TestMain, calls [Child] before anything else, with the same kinds of
// stores:
//
//	func TestMain(m *testing.M) {
//		crash.Child(kind)
//		os.Exit(m.Run())
//	}
//
//	func TestCrash(t *testing.T) {
//		report, err := crash.Run(t.Context(), kind, crash.Options{Kills: 20, Dir: t.TempDir()})
//		…
//		if report.Broken() { … }
//	}
package crash
