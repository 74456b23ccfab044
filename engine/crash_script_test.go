package engine_test

import (
	"slices"

	"oubliette/engine"
)

// crashScript passes through everything that changes the disk, but for expiries
// (crashExpiryScript), the giving of a ledger and the catching up with one.
func crashScript(w *crashWorld) {
	crashItemsScript(w)
	crashCopyScript(w)
	crashUsersScript(w)
	crashKeylessScript(w)
	crashLogScript(w)
}

// crashUnderBackupScript is crashScript without a backup of its own: there is one
// under way.
func crashUnderBackupScript(w *crashWorld) {
	crashItemsScript(w)
	crashUsersScript(w)
	crashKeylessScript(w)
	crashLogScript(w)
}

// crashItemsScript writes, replaces, deletes, erases, seals, rewrites, makes and
// deletes indexes. It ends with an open store.
func crashItemsScript(w *crashWorld) {
	w.open()
	w.create("a")
	w.create("b")
	w.upsert("a", crashIDs("s", 0, 30)...)
	w.upsert("b", crashIDs("s", 0, 10)...)
	w.upsert("a", "x")
	w.delete("a", "x", "s03", "s04", "nobody")
	w.upsert("a", "x", "s04")
	w.upsert("a", crashIDs("L", 0, 30)...) // fills a segment
	w.upsert("a", crashIDs("s", 10, 16)...)
	w.delete("a", append(crashIDs("L", 0, 8), "s20")...)
	w.purge("a")
	w.upsert("a", crashIDs("L", 30, 62)...)
	w.aborted("a")
	w.delete("a", append(crashIDs("L", 28, 40), "x")...)
	w.purge("a")
	w.upsert("b", crashIDs("s", 5, 12)...)
	w.delete("a", crashIDs("L", 40, 44)...)
	w.compact("a")
	w.upsert("a", crashIDs("L", 50, 58)...)
	w.delete("a", crashIDs("L", 44, 52)...)
	w.purgeRewrite("a")
	w.upsert("a", crashIDs("L", 50, 58)...)
	w.delete("a", crashIDs("L", 56, 57)...)
	w.drop("b")
	w.close()
	w.open()
	w.create("b")
	w.upsert("b", "again")
	w.upsert("a", slices.Concat(crashIDs("L", 60, 64), crashIDs("s", 0, 4))...)
	w.delete("a", "s01", "L62")
	w.upsert("a", "s01")
	w.aborted("a")
	w.purge("a")
	w.delete("b", "again")
}

// crashCopyScript backs the open store up, with a delete that has not been applied,
// and makes a store of that.
func crashCopyScript(w *crashWorld) {
	w.delete("a", "s05", "L61")
	c := w.backup()
	w.restore(c)
	w.forget(c)
}

// crashUsersScript lets users in, lets them work, takes from them what they may,
// and gives root another key.
func crashUsersScript(w *crashWorld) {
	w.change("a", epochCreate(epochReader, engine.PermRead))
	w.change("a", epochCreate(epochWriter, engine.PermWrite))
	w.change("a", epochCreate(epochBoth, readWrite))
	w.by(w.user("a", epochWriter), func() {
		w.upsert("a", "written", "s06", "L00", "L01")
		w.delete("a", "written", "s07", "L59")
		w.purge("a")
	})
	w.by(w.user("a", epochBoth), func() {
		w.upsert("a", append(crashIDs("L", 0, 4), "s08")...)
		w.delete("a", "L01", "s09")
		w.purgeRewrite("a")
		w.compact("a")
	})
	w.delete("a", "s08")
	w.change("a", epochCreate(epochBoth, engine.PermWrite)) // takes reading away
	w.upsert("a", "s08", "L02")
	w.delete("a", "L00")
	w.change("a", epochRotate())
	w.delete("a", "L02", "s10")
	w.change("a", epochDelete(epochBoth))
	w.upsert("a", "s11", "L04")
	w.delete("a", "s11")
	w.change("a", epochDelete(epochWriter))
	w.change("a", epochCreate(epochNew, engine.PermWrite))
	w.upsert("a", "L05", "s12")
	w.delete("a", "L04", "s13")
	w.close()
}

// crashKeylessScript lets a user who may only write use a store in which nobody has
// left a key.
func crashKeylessScript(w *crashWorld) {
	w.openKeyless()
	w.by(w.user("a", epochNew), func() {
		w.delete("a", "L05", "s14")
		w.upsert("a", append(crashIDs("L", 5, 8), "s14", "s15")...)
		w.delete("a", "s15", "L06")
	})
	w.close()
}

// crashLogScript cuts the log because it has become too long.
func crashLogScript(w *crashWorld) {
	defer engine.MaxLog(2 << 10)()
	w.open()
	for i := range 6 {
		w.upsert("a", append(crashIDs("s", 16, 26), crashIDs("L", 8, 10)...)...)
		w.delete("a", crashIDs("s", 16+i, 18+i)...)
	}
	w.change("a", epochRotate())
	w.delete("a", "L08")
	w.close()
}

// crashBirthScript is a store's first steps, and three versions of one id.
func crashBirthScript(w *crashWorld) {
	w.open()
	w.create("a")
	w.upsert("a", "one")
	w.delete("a", "one")
	w.upsert("a", "one")
	w.close()
}
