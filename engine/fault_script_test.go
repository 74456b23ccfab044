package engine_test

import "oubliette/engine"

// script is what is run against a faulty disk: everything that changes it, in as few
// calls as that takes.
func (w *faultWorld) script() {
	if !w.start() {
		return
	}
	w.create("a")
	w.upsert("a", append(crashIDs("s", 0, 12), "E00", "E01")...)
	w.upsert("a", crashIDs("L", 0, 32)...) // fills a segment
	w.get("a")
	w.upsert("a", crashIDs("s", 8, 20)...)
	w.delete("a", append(crashIDs("L", 0, 6), crashIDs("s", 0, 3)...)...)
	w.purge("a")
	w.get("a")
	w.upsert("a", crashIDs("s", 0, 2)...)
	w.delete("a", append(crashIDs("L", 6, 24), "s09")...)
	w.get("a")
	w.compact("a")
	w.create("b")
	w.upsert("b", crashIDs("s", 0, 4)...)
	w.get("b")
	w.drop("b")
	w.users()
	if w.backup(); w.in.part == faultCopy || !w.reopen() {
		return
	}
	w.upsert("a", append(crashIDs("L", 20, 52), "E02")...) // and another
	w.delete("a", append(crashIDs("L", 40, 44), "s12")...)
	w.purge("a", engine.WithRewrite())
	w.get("a")
	w.expire()
	w.upsert("a", append(crashIDs("s", 4, 10), "E03")...)
	w.purge("a")
	w.get("a")
	w.change("a", epochRotate())
	w.upsert("a", crashIDs("s", 4, 6)...)
	w.delete("a", "s04")
}

// users lets users in, work, and go.
func (w *faultWorld) users() {
	w.change("a", epochCreate(epochReader, engine.PermRead))
	w.change("a", epochCreate(epochWriter, engine.PermWrite))
	w.by("a", epochWriter, func() {
		w.upsert("a", "s13", "L33")
		w.delete("a", "s14", "L24")
		w.purge("a")
	})
	w.change("a", epochRotate())
	w.change("a", epochDelete(epochReader))
	w.upsert("a", "s14", "L34")
	w.delete("a", "s13", "L25")
	w.get("a")
}
