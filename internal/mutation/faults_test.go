package mutation

// deliberate is a fault that is put into the code.
type deliberate struct {
	name string
	file string // below the module's folder
	old  string // stands in it once
	new  string
	test string // of package engine, as for go test -run; empty: crashTests
}

// crashTests are the tests that pass through everything that changes the disk.
const crashTests = "^(TestNothingAcknowledgedIsLostOrComesBackAcrossCrash|TestUpsertDeleteUpsertOfOneIDAcrossCrash)$"

var faults = []deliberate{
	{
		name: "rows are not synced before the log names them",
		file: "segment/writer.go",
		old:  `if err := w.file.f.SyncData(); err != nil {`,
		new:  `if err := error(nil); err != nil {`,
	},
	{
		name: "a call is acknowledged before the log's sync",
		file: "wal/log.go",
		old:  `return l.cfg.DB.Commit(batch)`,
		new:  `return l.cfg.DB.CommitLazy(batch)`,
	},
	{
		name: "the ledger is told after the log, not before",
		file: "wal/log.go",
		old: `	if l.cfg.Ledger != nil && at.LastDelete.Group == at.Group {
		if err := l.cfg.DB.Err(); err != nil {
			return failed(err) // the ledger is not told of what the database takes no more
		}
		if err := l.cfg.Ledger(l.enc.stubbed(records)); err != nil {
			return failed(fmt.Errorf("ledger: %s: %w", groupName(h.Index, h.Group), err))
		}
	}
	if err := l.store(h.Group, value); err != nil {
		return failed(err)
	}
`,
		new: `	if err := l.store(h.Group, value); err != nil {
		return failed(err)
	}
	if l.cfg.Ledger != nil && at.LastDelete.Group == at.Group {
		if err := l.cfg.Ledger(l.enc.stubbed(records)); err != nil {
			return failed(fmt.Errorf("ledger: %s: %w", groupName(h.Index, h.Group), err))
		}
	}
`,
	},
	{
		name: "the ledger's entry is not synced",
		file: "ledger/file.go",
		old: `	if err == nil {
		err = f.file.Sync()
	}
	if cap(f.mu.buf) > keptBuffer {`,
		new: `	if cap(f.mu.buf) > keptBuffer {`,
	},
	{
		name: "the folder of a new segment is not synced",
		file: "engine/active.go",
		old:  `err = syncDir(s.db.opts.FS, s.db.segmentDir(s.cat.id))`,
		new:  `err = nil`,
	},
	{
		name: "the folder of a new store is not synced",
		file: "engine/format.go",
		old:  `	return syncDir(fs, fs.PathDir(dir))`,
		new:  `	return nil`,
		test: "Birth",
	},
	{
		name: "the folder is not synced before the record of a destroyed file goes",
		file: "engine/destroy.go",
		old:  `if err := syncDir(db.opts.FS, db.segmentDir(index)); err != nil && !errors.Is(err, os.ErrNotExist) {`,
		new:  `if err := error(nil); err != nil && !errors.Is(err, os.ErrNotExist) {`,
	},
	{
		name: "one dead extent is skipped",
		file: "segment/overwrite.go",
		old:  `	merged := clip(Coalesce(sorted), size)`,
		new:  `	merged := clip(Coalesce(sorted[min(1, len(sorted)-1):]), size)`,
	},
	{
		name: "a purge is said to be done before its zeros are synced",
		file: "segment/overwrite.go",
		old:  `	return n, h.SyncData()`,
		new:  `	return n, nil`,
	},
	{
		name: "a run of the log takes an earlier run's session",
		file: "wal/log.go",
		old:  `session: newSession(crypto.NewSessionID(), cfg.Index`,
		new:  `session: newSession(crypto.SessionID(cfg.Index), cfg.Index`,
	},
	{
		name: "a tombstone kills rows that are newer than it",
		file: "compaction/kill.go",
		old:  `if seq < e.Before {`,
		new:  `if seq < e.Before || e.Call != 0 {`,
	},
	{
		name: "Open keeps a doomed file",
		file: "engine/recover.go",
		old:  `if value[0] != segmentLive {`,
		new:  `if value[0] == segmentBuilding {`,
	},
	{
		name: "Open does not finish an erasure",
		file: "engine/recover.go",
		old:  `	if err != nil || len(dead.Pending) == 0 {`,
		new:  `	if err != nil || len(dead.Pending) >= 0 {`,
	},
	{
		name: "replay leaves tombstones out",
		file: "engine/load.go",
		old:  `	l.tombs.Add(r.Seq, tokens)`,
		new:  `	_ = tokens`,
	},
	{
		name: "the log is cut before rows that only it knows of",
		file: "engine/install.go",
		old:  `if o.mem.begun && o.mem.before.Group < start.Group {`,
		new:  `if false {`,
	},
	{
		name: "a rewrite's inputs go before the manifest without them is durable",
		file: "engine/seal.go",
		old: `	last := e.truncate(open)
	if err := e.commit(); err != nil {`,
		new: `	last := e.truncate(open)
	if err := e.commitLazy(); err != nil {`,
	},
	{
		name: "rows that no record of the log covers are forgotten",
		file: "engine/load.go",
		old:  `		if x.Off > at {`,
		new:  `		if false {`,
	},
	{
		name: "a segment is sealed without what died in it since",
		file: "engine/seal.go",
		old: `	if err := m.apply(ring); err != nil {
		return err
	}
	if mem.broken.Load() {`,
		new: `	if mem.broken.Load() {`,
	},
	{
		name: "the header slots of the old epoch go before the new one is durable",
		file: "engine/epoch.go",
		old:  `	if err := n.db.meta.Commit(batch); err != nil {`,
		new:  `	if err := n.db.meta.CommitLazy(batch); err != nil {`,
		test: crashTests[:len(crashTests)-2] + "|TestEpochsChangeWholeOrNotAtAllAcrossCrash)$",
	},
	{
		name: "a file is destroyed while a backup's last step reads it",
		file: "engine/destroy.go",
		old: `	db.gate.RLock()
	defer db.gate.RUnlock()
	if segment.Destroy`,
		new:  `	if segment.Destroy`,
		test: "TestEveryChangeInPlaceHoldsTheGate",
	},
	{
		name: "a store that was put back does not take its deletes from the ledger",
		file: "engine/behind.go",
		old:  `	if cmp == nil || len(cmp.Missing) == 0 {`,
		new:  `	if cmp == nil || len(cmp.Missing) >= 0 {`,
		test: "TestAStorePutBackTakesItsDeletesFromTheLedger",
	},
}
