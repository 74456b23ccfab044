package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// long runs the crash and fault tests in full.
var long = os.Getenv("OUBLIETTE_LONG") != ""

// mutates tells whether an operation changes something in a store.
func mutates(kind errorfs.OpKind) bool {
	switch kind {
	case errorfs.OpCreate, errorfs.OpLink, errorfs.OpRemove, errorfs.OpRemoveAll, errorfs.OpRename, errorfs.OpReuseForWrite, errorfs.OpMkdirAll,
		errorfs.OpFileWrite, errorfs.OpFileWriteAt, errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo, errorfs.OpFilePreallocate:
		return true
	}
	return false
}

// watch calls see before everything that a command does to its store's files.
func (c *cli) watch(see func(op errorfs.Op)) {
	under := c.fs
	c.fs = errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		see(op)
		return nil
	}))
	c.Cleanup(func() { c.fs = under })
}

// whole tells whether a file holds a key, and nobody but its owner may read it.
func (c *cli) whole(name string) bool {
	b, err := os.ReadFile(c.path(name))
	info, serr := os.Stat(c.path(name))
	return err == nil && serr == nil && looksLikeKey(string(b)) && len(b) == 65 && info.Mode().Perm() == 0o600
}

func (c *cli) bytesOf(name string) string {
	c.Helper()
	b, err := os.ReadFile(c.path(name))
	if err != nil {
		c.Fatal(err)
	}
	return string(b)
}

// opensAsRoot tells whether the key of a file is root's.
func (c *cli) opensAsRoot(name string) bool {
	c.Helper()
	r := c.run("", "purge", "--key-file", c.path(name))
	if r.code != exitOK && r.code != exitKey {
		c.Fatalf("purge with %s: exit code %d\n%s", name, r.code, r.err)
	}
	return r.code == exitOK
}

func TestAKeyIsInItsFileBeforeTheStoreIsTouched(t *testing.T) {
	for _, args := range [][]string{
		{"rotate-key", "--generate-new-key"}, {"users", "add", "--perm", "both", "--generate-user-key"},
	} {
		c := initialised(t)
		c.keyedOK(threeItems, "upsert")
		old := c.bytesOf("key")
		var seen atomic.Int64
		var once sync.Once
		c.watch(func(op errorfs.Op) {
			seen.Add(1)
			if !c.whole("new") {
				once.Do(func() { t.Errorf("%s: %v before the key was there", args, op) })
			}
		})
		c.keyedOK("", append(args, c.path("new"))...)
		if seen.Load() == 0 || c.bytesOf("key") != old {
			t.Errorf("%s: %d operations seen, the old key file is as it was: %v", args, seen.Load(), c.bytesOf("key") == old)
		}
	}
}

// inMemory is a cli with a store in a file system that can lose power, its index,
// some items and a user who reads.
func inMemory(t *testing.T) (c *cli, mem *vfs.MemFS, user string) {
	c, mem = newCLI(t), vfs.NewCrashableMem()
	if err := mem.MkdirAll(c.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for dir := c.dir; ; dir = filepath.Dir(dir) {
		f, err := mem.OpenDir(dir)
		if err == nil {
			err = errors.Join(f.Sync(), f.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	c.fs = mem
	c.ok("init", "--generate-key", c.path("key"))
	// Where a command looks for the store before it opens it.
	if err := errors.Join(os.Mkdir(c.env[envStore], 0o700), os.WriteFile(filepath.Join(c.env[envStore], "FORMAT"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	c.keyedOK(threeItems, "upsert")
	return c, mem, c.addUser(1, "read")
}

// image is what a loss of power leaves.
type image struct {
	fs    *vfs.MemFS
	whole bool // the new key was in its file
	op    string
}

// images are those before each change that do makes to the store, and after it.
func (c *cli) images(mem *vfs.MemFS, survives vfs.CrashCloneCfg, do func()) (out []image) {
	var mu sync.Mutex
	take := func(op string) {
		mu.Lock()
		defer mu.Unlock()
		out = append(out, image{mem.CrashClone(survives), c.whole("new"), op})
	}
	c.watch(func(op errorfs.Op) {
		if mutates(op.Kind) {
			take("before " + op.Path)
		}
	})
	do()
	take("at the end")
	return out
}

// Whenever the power goes while the key is changed, one of the two keys opens
// the store, and it is in its file. A command that is given again ends the work.
func TestACrashWhileTheKeyIsChangedLocksNobodyOut(t *testing.T) {
	t.Parallel()
	percents := []int{50}
	if long {
		percents = []int{0, 50, 100}
	}
	for _, percent := range percents {
		c, mem, user := inMemory(t)
		survives := vfs.CrashCloneCfg{UnsyncedDataPercent: percent, RNG: rand.New(rand.NewPCG(1, 2))}
		images := c.images(mem, survives, func() { c.keyedOK("", "rotate-key", "--generate-new-key", c.path("new")) })
		var olds, news int
		for i, image := range images {
			c.fs = image.fs
			old, next := c.opensAsRoot("key"), c.opensAsRoot("new")
			if old == next || !image.whole {
				t.Fatalf("image %d, %s: the old key opens: %v, the new one: %v, in its file: %v", i, image.op, old, next, image.whole)
			}
			if old {
				olds++
				c.keyedOK("", "rotate-key", "--new-key-file", c.path("new"))
			} else {
				news++
			}
			if c.opensAsRoot("key") {
				t.Fatalf("image %d, %s: the old key opens the store", i, image.op)
			}
			if out := c.asOK(user, "", "get", "a", "b"); strings.Count(out, "\n") != 2 {
				t.Errorf("image %d, %s: the user gets %s", i, image.op, out)
			}
			c.ok("check", "--key-file", c.path("new"))
		}
		t.Logf("%d%% of what was not synced survives: the old key is right in %d images, the new one in %d", percent, olds, news)
		if olds == 0 || news == 0 {
			t.Error("no image with one of them")
		}
	}
}

// faults runs a command with each of its writes failing in turn, from that one
// on, each time on a copy of the store, until it fails no more.
func (c *cli) faults(part string, key string, args []string, look func(c *cli, r result)) {
	c.Helper()
	for n := range int64(1000) {
		d := newCLI(c.TB)
		if err := os.CopyFS(d.dir, os.DirFS(c.dir)); err != nil {
			c.Fatal(err)
		}
		d.fullDisk(part, n)
		all := slices.Clone(args)
		for i := range all {
			all[i] = strings.ReplaceAll(all[i], c.dir, d.dir)
		}
		r := d.run("", append(all, "--key-file", d.path(key), "--json")...)
		d.fs = vfs.Default
		d.withholds(r.out + r.err)
		look(d, r)
		if r.code == exitOK {
			return
		}
	}
	c.Fatal("it fails for ever")
}

// lastFailure is what a command for machines says at its end.
func (c *cli) lastFailure(r result) failure {
	c.Helper()
	said := strings.Split(strings.TrimSpace(r.err), "\n")
	return decode[failure](c, said[len(said)-1])
}

func TestAFailureWhileTheKeyIsChangedLocksNobodyOut(t *testing.T) {
	t.Parallel()
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	old := c.bytesOf("key")
	var kept, gone, left, unknown int
	look := func(c *cli, r result) {
		t.Helper()
		is, there := c.opensAsRoot("key"), c.whole("new")
		switch {
		case c.bytesOf("key") != old:
			t.Fatal("the old key's file has changed")
		case there && c.opensAsRoot("new") == is, !there && !is:
			t.Fatalf("the old key opens: %v, the new one's file is there: %v\n%+v", is, there, r)
		case r.code == exitOK:
			if is || !there {
				t.Errorf("done, and the old key opens: %v, the new one's file is there: %v", is, there)
			}
			return
		}
		f := c.lastFailure(r)
		switch {
		case f.Unknown:
			unknown++
			if !there || r.out != "" || r.code != exitFailure || !strings.Contains(f.Error, "either key may be the right one now, that of "+c.path("new")+" or that of "+c.path("key")) {
				t.Errorf("the file is there: %v\n%+v", there, r)
			}
		case r.out != "": // it has been told as done
			if left++; is || !there {
				t.Errorf("told as done, and the old key opens: %v, the new one's file is there: %v\n%+v", is, there, r)
			}
		case there:
			kept++
			t.Errorf("a key file that nobody needs: %+v", r)
		default:
			gone++
		}
		c.ok("check", "--key-file", c.path(map[bool]string{true: "key", false: "new"}[is]))
	}
	parts := []string{"pebble", ".seg"}
	if long {
		parts = append(parts, "store")
	}
	for _, part := range parts {
		c.faults(part, "key", []string{"rotate-key", "--generate-new-key", c.path("new")}, look)
	}
	if unknown == 0 || gone == 0 || left == 0 {
		t.Errorf("outcomes: %d unknown, %d without a file, %d done with something left", unknown, gone, left)
	}
}

func TestAFailureWhileAUserIsLetInOrTakenOutIsToldForWhatItIs(t *testing.T) {
	t.Parallel()
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	user := c.addUser(1, "read")
	get := func(c *cli, file string) bool {
		r := c.run("", "get", "a", "--user", user, "--key-file", c.path(file))
		if r.code != exitOK && r.code != exitKey {
			t.Fatalf("%+v", r)
		}
		return r.code == exitOK
	}
	var unknown, gone, left int
	for _, part := range []string{"pebble", ".seg"} {
		add := []string{"users", "add", "--perm", "read", "--user-id", user, "--generate-user-key", c.path("new")}
		c.faults(part, "key", add, func(c *cli, r result) {
			there := c.whole("new")
			before := get(c, user)
			if there && get(c, "new") == before || !there && !before {
				t.Fatalf("the old key opens: %v, the new one's file is there: %v\n%+v", before, there, r)
			}
			if r.code == exitOK {
				return
			}
			switch f := c.lastFailure(r); {
			case f.Unknown:
				if unknown++; !there || r.out != "" || !strings.Contains(f.Error, "--user-id "+user+" --user-key-file "+c.path("new")) {
					t.Errorf("the file is there: %v\n%+v", there, r)
				}
				again := []string{"users", "add", "--perm", "read", "--user-id", user, "--user-key-file", c.path("new")}
				c.keyedOK("", again...)
				if get(c, user) || !get(c, "new") {
					t.Errorf("after %s the user has not the new key", again)
				}
			case r.out != "":
				if left++; before || !there {
					t.Errorf("told as done, and the old key opens: %v, the new one's file is there: %v\n%+v", before, there, r)
				}
			default:
				if gone++; there {
					t.Errorf("a key file that nobody needs: %+v", r)
				}
			}
		})
		c.faults(part, "key", []string{"users", "rm", user}, func(c *cli, r result) {
			is := get(c, user)
			switch {
			case r.code == exitOK || r.out != "":
				if is {
					t.Errorf("told as done, and the key opens: %+v", r)
				}
			case c.lastFailure(r).Unknown:
				unknown++
			case !is:
				t.Errorf("told as not done, and the key opens nothing: %+v", r)
			}
			c.keyedOK("", "users", "rm", user)
			if get(c, user) {
				t.Error("the key opens")
			}
			c.keyedOK("", "check")
		})
	}
	if unknown == 0 || gone == 0 || left == 0 {
		t.Errorf("outcomes: %d unknown, %d without a file, %d done with something left", unknown, gone, left)
	}
}

// What a change of keys leaves is exit code 7, and its result is printed.
func TestOldKeysThatAreLeftArePending(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	c.faults(".seg", "key", []string{"rotate-key", "--generate-new-key", c.path("new")}, func(c *cli, r result) {
		if r.code == exitOK || r.out == "" {
			return
		}
		f := c.lastFailure(r)
		if r.code != exitPending || f.Kind != "pending" || f.Unknown || !strings.Contains(f.Error, "what the old keys open is still on disk") {
			t.Errorf("%+v", r)
		}
	})
}

// A reader of the output who has left has changed nothing about the key.
func TestAReaderWhoLeavesDoesNotTakeTheKeyAlong(t *testing.T) {
	c := initialised(t)
	r := c.process(nil, c.broken(), "users", "add", "--perm", "read", "--generate-user-key", c.path("user")).end()
	c.fails(r, exitFailure, "has been let in, but that is not printed")
	id := strings.Fields(c.keyedOK("", "users", "ls"))[0]
	if !c.whole("user") || !strings.Contains(r.err, id) {
		t.Errorf("the user's key is not there, or %s not told: %s", id, r.err)
	}
	c.fails(c.process(nil, c.broken(), "rotate-key", "--generate-new-key", c.path("new")).end(), exitFailure, "the key of "+c.path("new")+" is the right one now, but that is not printed")
	if !c.whole("new") || !c.opensAsRoot("new") {
		t.Error("the new key is not there, or not the right one")
	}
	c.okResult(c.run("", "ls", "--user", id, "--key-file", c.path("user")))
}

func TestANewKeyMayComeThroughAPipe(t *testing.T) {
	c := initialised(t)
	digits := strings.Repeat("5a", 32)
	for _, args := range [][]string{{"users", "add", "--perm", "read", "--user-id", userOf(1), "--user-key-file"}, {"rotate-key", "--new-key-file"}} {
		r, w := c.pipe()
		if args[0] == "rotate-key" {
			digits = strings.Repeat("a5", 32)
		}
		if _, err := io.WriteString(w, digits); err != nil {
			t.Fatal(err)
		}
		w.Close()
		c.keyedOK("", append(args, fmt.Sprintf("/dev/fd/%d", r.Fd()))...)
	}
	c.okResult(c.run("", "ls", "--key-file", c.write("new", []byte(digits))))
}
