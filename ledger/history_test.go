package ledger

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"oubliette/crypto"
	"oubliette/wal"
)

// told is a world with a history: two deletes, an upsert between, a new epoch,
// two more. Its entries are begin, epoch 1, groups 1, 3, epoch 2, groups 4, 6.
func told(t testing.TB) (*world, *list, []State) {
	t.Helper()
	l := new(list)
	w := newWorld(t, l)
	states := []State{w.state()}
	then := func() { states = append(states, w.state()) }
	w.delete("one")
	then()
	w.upsert("two")
	then()
	w.delete("three")
	then()
	w.epoch(w.root)
	then()
	w.delete("four")
	then()
	w.upsert("five")
	then()
	w.delete("six")
	then()
	return w, l, states
}

func TestStoreThatIsAsNewAsItsLedgerIsTheSame(t *testing.T) {
	w, l, _ := told(t)
	c, err := w.compare(l, w.state())
	if err != nil || !c.Same() {
		t.Errorf("%+v, %v", c, err)
	}
	h, err := Read(l.Entries(), Options{ID: store, Full: true})
	if err != nil {
		t.Fatal(err)
	}
	x := h.Index(w.index)
	if len(h.Indexes()) != 1 || x.Begin.Name != "letters" || x.Groups != 4 || x.Epoch != 2 || x.Last != w.at || x.Gone || x.Sum != crypto.Sum(w.raw[1]) {
		t.Errorf("%+v", x)
	}
}

// TestStorePutBackLacksTheDeletesSince: with every state that the store once had
// in the newest epoch, the ledger gives the deletes that were lost, and the log
// goes on behind them.
func TestStorePutBackLacksTheDeletesSince(t *testing.T) {
	w, l, states := told(t)
	for i, want := range [][]uint64{{1, 3, 4, 6}, {3, 4, 6}, {3, 4, 6}, {4, 6}, {4, 6}, {6}, {6}, nil} {
		c, err := w.compare(l, states[i])
		if err != nil || !slices.Equal(groups(c.Missing), want) {
			t.Errorf("state %d: %v missing, want %v; %v", i, groups(c.Missing), want, err)
			continue
		}
		if late := i < 4; late != (len(c.Epochs) == 1) || c.Same() != (want == nil) {
			t.Errorf("state %d: epochs %v", i, c.Epochs)
		}
	}
	c, err := w.compare(l, states[4])
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range c.Missing {
		records, err := g.Open(func(e uint64) (crypto.Secret, bool) { k, ok := w.mapKeys[e]; return k, ok })
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range records {
			got = append(got, string(r.Payload))
		}
	}
	if strings.Join(got, " ") != "four six" {
		t.Errorf("the deletes are %q", got)
	}
	// The log goes on behind the last one, in the store that has lost it.
	w.at = c.Missing[1].Position()
	w.session()
	w.delete("seven")
	if w.at.Group != 7 || w.at.Seq != 7 {
		t.Errorf("goes on at %+v", w.at)
	}
	if c, err := w.compare(l, w.state()); err != nil || !c.Same() {
		t.Errorf("afterwards: %+v, %v", c, err)
	}
}

func TestStoreAheadOfItsLedgerIsCut(t *testing.T) {
	w, l, states := told(t)
	for n := range *l {
		short := (*l)[:n]
		_, err := w.compare(&short, w.state())
		wantKind(t, "cut", err, ErrCut)
		if n == 6 && !strings.Contains(err.Error(), "group 6") {
			t.Errorf("%v names no group", err)
		}
	}
	// The record of the newest epoch may be missing, by a crash; but no two are.
	short := (*l)[:4]
	c, err := w.compare(&short, states[4])
	if err != nil || !c.LacksEpoch || len(c.Missing) != 0 || c.Same() {
		t.Errorf("without the newest epoch: %+v, %v", c, err)
	}
	begun := (*l)[:1]
	c, err = w.compare(&begun, states[0])
	if err != nil || !c.LacksEpoch || len(c.Missing) != 0 || c.Same() {
		t.Errorf("with a begin alone: %+v, %v", c, err)
	}
	renamed := list{(&Begin{Index: w.index, Name: "numbers"}).Entry()}
	_, err = w.compare(&renamed, states[0])
	wantKind(t, "begun under another name", err, ErrFork)
	w.epoch(w.root)
	_, err = w.compare(&short, State{At: states[4].At, Record: w.records[2], Sum: crypto.Sum(w.raw[2])})
	wantKind(t, "without the two newest epochs", err, ErrCut)
}

func TestIndexThatTheLedgerDoesNotKnowIsCut(t *testing.T) {
	w, l, _ := told(t)
	h, err := Read(l.Entries(), Options{ID: store, Store: w.knows(w.state())})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Compare(crypto.IndexID{9})
	wantKind(t, "another index", err, ErrCut)
	h, err = Read(l.Entries(), Options{ID: store})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.Compare(w.index)
	wantKind(t, "no state of the store", err, ErrCut)
}

// TestAnotherContinuationIsAFork: the store was put back, went on without its
// ledger, and is brought to it again.
func TestAnotherContinuationIsAFork(t *testing.T) {
	for name, c := range map[string]struct {
		back int // to which state
		on   func(w *world)
	}{
		"an upsert where a delete was":       {4, func(w *world) { w.upsert("not four") }},
		"a delete where a delete was":        {4, func(w *world) { w.delete("not four") }},
		"a delete where an upsert was":       {5, func(w *world) { w.delete("not five") }},
		"another upsert, then nothing":       {5, func(w *world) { w.upsert("not five") }},
		"other upserts beyond the delete":    {5, func(w *world) { w.upsert("not five"); w.upsert("not six"); w.upsert("seven") }},
		"another upsert, then a delete":      {5, func(w *world) { w.upsert("not five"); w.delete("not six") }},
		"further than the ledger, a delete":  {5, func(w *world) { w.upsert("a"); w.upsert("b"); w.upsert("c"); w.delete("d") }},
		"further than the ledger, two":       {5, func(w *world) { w.delete("a"); w.delete("b"); w.delete("c") }},
		"another epoch":                      {7, nil},
		"another beginning of the same kind": {0, func(w *world) { w.delete("not one") }},
	} {
		t.Run(name, func(t *testing.T) {
			w, l, states := told(t)
			w.ledger = new(list)
			if c.on == nil {
				w.records, w.raw = w.records[:1], w.raw[:1]
				w.at = states[3].At
				w.epoch(w.root) // signed anew, with nothing in it that differs
				r := *w.records[1]
				r.Dimension = 7
				raw, err := r.Sign(w.root, nil)
				must(t, err)
				_, err = w.compare(l, State{At: states[4].At, Record: &r, Sum: crypto.Sum(raw)})
				wantKind(t, name, err, ErrFork)
				return
			}
			w.at = states[c.back].At
			w.session()
			c.on(w)
			s := w.state()
			s.Record, s.Sum = states[c.back].Record, states[c.back].Sum
			_, err := w.compare(l, s)
			if strings.HasPrefix(name, "further") {
				// The ledger's deletes end before the store's last one: whether
				// they go on to it cannot be seen.
				wantKind(t, name, err, ErrCut)
				return
			}
			wantKind(t, name, err, ErrFork)
		})
	}
}

// TestLedgerOfTwoContinuationsIsAFork: both were written to one ledger, which two
// copies of a store that hold each other for alone can do to a ledger without a
// lock.
func TestLedgerOfTwoContinuationsIsAFork(t *testing.T) {
	w, l, states := told(t)
	state := w.state()
	w.at = states[5].At
	w.session()
	w.delete("not five")
	w.delete("not six")
	w.delete("seven")
	both := append(slices.Clone((*l)[:7]), (*l)[7:]...)
	_, err := w.compare(&both, state)
	wantKind(t, "two continuations", err, ErrFork)
}

func TestStoreFromBeforeTheLedgerIsCut(t *testing.T) {
	l := new(list)
	w := bare(t, new(list))
	w.epoch(w.root)
	before := w.state()
	w.delete("one")
	between := w.state()
	w.upsert("two")
	w.ledger = l
	begin := w.at
	w.append((&Begin{Index: w.index, Name: "letters", At: w.at}).Entry())
	w.append(EpochEntry(w.raw[0]))
	w.session()
	w.delete("three")
	if c, err := w.compare(l, w.state()); err != nil || !c.Same() {
		t.Errorf("as it is: %+v, %v", c, err)
	}
	_, err := w.compare(l, between)
	wantKind(t, "from before, with the same deletes", err, ErrCut)
	only := (*l)[:2]
	_, err = w.compare(&only, between)
	wantKind(t, "from before, with the same deletes, and none since", err, ErrCut)
	_, err = w.compare(l, before)
	wantKind(t, "from before, with a delete less", err, ErrCut)
	fork := w.state()
	fork.At = begin
	fork.At.LastDelete.Hash[0]++
	_, err = w.compare(l, fork)
	wantKind(t, "another delete at the beginning", err, ErrFork)
	fork.At = begin
	fork.At.Head = crypto.Hash{5}
	_, err = w.compare(l, fork)
	wantKind(t, "another group at the beginning", err, ErrFork)
}

func TestGoneIndexIsGone(t *testing.T) {
	w, l, _ := told(t)
	entry := GoneEntry(store, w.index, 2, w.root)
	for name, forged := range map[string][]byte{
		"by a user":           GoneEntry(store, w.index, 2, w.alice),
		"of another index":    append(append(bytes.Clone(entry[:entryHead]), w.index[:]...), GoneEntry(store, crypto.IndexID{1}, 2, w.root)[entryHead+16:]...),
		"of another store":    GoneEntry([16]byte{9}, w.index, 2, w.root),
		"of an earlier epoch": GoneEntry(store, w.index, 1, w.root),
	} {
		bad := append(slices.Clone(*l), forged)
		_, err := Read(bad.Entries(), Options{ID: store})
		wantKind(t, name, err, ErrAltered)
	}
	later := append(slices.Clone(*l), GoneEntry(store, w.index, 3, w.root))
	_, err := Read(later.Entries(), Options{ID: store})
	wantKind(t, "of an epoch to come", err, ErrCut)

	w.append(entry)
	c, err := w.compare(l, w.state())
	if err != nil || !c.Gone || c.Same() {
		t.Errorf("%+v, %v", c, err)
	}
	w.delete("late")
	_, err = w.compare(l, w.state())
	wantKind(t, "a group behind the end", err, ErrAltered)
}

// Nothing is of an epoch before its record has come: not either where the number is
// 0, as it is of an index that has only begun.
func TestNothingIsOfAnEpochBeforeTheFirst(t *testing.T) {
	w, l, _ := told(t)
	begin, group := (*l)[0], (*l)[2]
	zero := epochZero(group)
	for name, c := range map[string]struct {
		entry []byte
		kind  error
	}{
		"a group":            {group, ErrCut},
		"a group of epoch 0": {zero, ErrAltered},
		"gone":               {GoneEntry(store, w.index, 1, w.root), ErrCut},
		"gone in epoch 0":    {GoneEntry(store, w.index, 0, w.root), ErrAltered},
	} {
		in := list{begin, c.entry}
		_, err := w.compare(&in, w.state())
		wantKind(t, name, err, c.kind)
		in = list{begin, (*l)[1], c.entry}
		if _, err := w.compare(&in, w.state()); c.kind == ErrAltered {
			wantKind(t, name+", behind an epoch", err, ErrAltered)
		}
	}
	if bad := (&Index{}).gone(&gone{}, store); bad == nil || bad.Kind != ErrCut {
		t.Errorf("gone, with no record: %v", bad)
	}
	g, err := decodeEntry(group)
	must(t, err)
	if bad := (&Index{Epoch: 1}).inEpoch(g.(*wal.Stubbed), wal.Position{Group: 1}); bad == nil || bad.Kind != ErrCut {
		t.Errorf("a group, with no record: %v", bad)
	}
}

// epochZero is the entry of a group, said to be of epoch 0.
func epochZero(entry []byte) []byte {
	b := bytes.Clone(entry)
	clear(b[entryHead+8+2+16+16:][:8])
	return b
}

func TestRootHandsOver(t *testing.T) {
	w, l, _ := told(t)
	next := crypto.NewSigner(crypto.UserID{}, seed(t, 90))
	before := slices.Clone(*l)
	usurper := crypto.NewSigner(crypto.UserID{}, seed(t, 120))
	r, _ := w.record(usurper)
	raw, err := r.Sign(usurper, nil)
	must(t, err)
	bad := append(slices.Clone(before), EpochEntry(raw))
	_, err = Read(bad.Entries(), Options{ID: store})
	wantKind(t, "a root to whom nobody handed over", err, ErrAltered)
	w.epoch(next)
	w.do(wal.KindExpiry, next, "seven")
	if c, err := w.compare(l, w.state()); err != nil || !c.Same() {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestEntriesOutOfPlaceAreRefused moves, drops and repeats entries, and puts
// other ones in.
func TestEntriesOutOfPlaceAreRefused(t *testing.T) {
	w, l, states := told(t)
	e := *l
	state := w.state()
	without := func(i int) list { return slices.Delete(slices.Clone(e), i, i+1) }
	with := func(i int, entry []byte) list { return slices.Insert(slices.Clone(e), i, entry) }
	swapped := func(i, k int) list {
		c := slices.Clone(e)
		c[i], c[k] = c[k], c[i]
		return c
	}
	other := *w
	other.ledger = new(list)
	other.at = states[4].At
	other.alice = crypto.NewSigner(w.alice.User(), seed(t, 77)) // signs in alice's name
	other.session()
	other.delete("forged")
	forged := (*other.ledger.(*list))[0]
	for name, c := range map[string]struct {
		entries list
		kind    error
		offset  bool
	}{
		"nothing":                             {list{}, ErrCut, false},
		"without its beginning":               {without(0), ErrCut, true},
		"without its first epoch":             {without(1), ErrCut, true},
		"without its first group":             {without(2), ErrCut, true},
		"without a group":                     {without(3), ErrCut, true},
		"without an epoch between":            {without(4), ErrCut, true},
		"without the first group of an epoch": {without(5), ErrCut, true},
		"without its last group":              {without(6), ErrCut, false},
		"a group twice":                       {with(3, e[2]), ErrAltered, true},
		"the last group twice":                {with(7, e[6]), ErrAltered, true},
		"begins twice":                        {with(3, e[0]), ErrAltered, true},
		"an epoch twice":                      {with(2, e[1]), ErrAltered, true},
		"an earlier epoch again":              {with(6, e[1]), ErrFork, true},
		"two groups swapped":                  {swapped(2, 3), ErrCut, true},
		"a group in the next epoch":           {swapped(3, 4), nil, true},
		"a group before its epoch":            {swapped(4, 5), ErrCut, true},
		"the last two swapped":                {swapped(5, 6), ErrCut, true},
		"a group signed by another":           {append(slices.Clone(e[:5]), forged, e[6]), ErrAltered, true},
		"an entry of no kind":                 {with(4, []byte{9, 1, 0}), ErrAltered, true},
		"an entry of no version":              {with(4, []byte{2, 0, 0}), ErrAltered, true},
		"an entry of nothing":                 {with(4, nil), ErrAltered, true},
	} {
		_, err := w.compare(&c.entries, state)
		switch {
		case name == "a group in the next epoch":
			if err == nil {
				t.Errorf("%s: taken", name)
			}
		default:
			wantKind(t, name, err, c.kind)
		}
		if c.offset != (err != nil && strings.Contains(err.Error(), "offset 100")) {
			t.Errorf("%s: %v: names its offset: %v, want %v", name, err, !c.offset, c.offset)
		}
	}
	newer := with(4, []byte{2, 2, 0})
	_, err := w.compare(&newer, state)
	wantKind(t, "newer", err, nil)
	if err == nil || !strings.Contains(err.Error(), "newer") {
		t.Errorf("a newer entry: %v", err)
	}
}

// TestEveryByteOfAnEntryCounts changes each byte of each entry, as one could who
// repairs checksums, and wants an error, or the answer that there was. Without
// signatures looked at, that is by hashes alone.
func TestEveryByteOfAnEntryCounts(t *testing.T) {
	w, l, _ := told(t)
	state := w.state()
	for i, entry := range *l {
		step := 1
		if len(entry) > 1000 {
			step = 17 // an epoch record, which its own tests change byte by byte
		}
		for k := 0; k < len(entry); k += step {
			bad := slices.Clone(*l)
			bad[i] = bytes.Clone(entry)
			bad[i][k] ^= 1
			for _, full := range []bool{false, true} {
				c, err := w.compareIn(&bad, state, full)
				if err == nil && !c.Same() {
					t.Errorf("entry %d, byte %d: another answer, %+v", i, k, c)
				}
				// What hangs from no hash are the signatures of what the store has.
				signature := entry[0] == byte(kindGroup) && k >= len(entry)-64
				if err == nil && (full || !signature) {
					t.Errorf("entry %d of kind %d, byte %d of %d: taken (full: %v)", i, entry[0], k, len(entry), full)
				}
			}
		}
	}
}

// TestForgedDeletesAreNotMissingOnes: one without a signing key appends groups to
// the ledger. None of them is answered as a delete to be done.
func TestForgedDeletesAreNotMissingOnes(t *testing.T) {
	w, l, _ := told(t)
	state := w.state()
	w.alice = crypto.NewSigner(w.alice.User(), seed(t, 99))
	w.delete("forged")
	for _, full := range []bool{false, true} {
		_, err := w.compareIn(l, state, full)
		wantKind(t, "a forged delete", err, ErrAltered)
	}
}

// TestWriterWhoDoesNotKeepToTheChainIsRefused: groups signed well, which go on
// from where the log did not end.
func TestWriterWhoDoesNotKeepToTheChainIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(w *world)
		kind  error
	}{
		"a gap in the sequence numbers": {func(w *world) { w.at.Seq += 5 }, ErrAltered},
		"sequence numbers again":        {func(w *world) { w.at.Seq -= 3; w.at.Group++ }, ErrAltered},
		"group numbers again":           {func(w *world) { w.at.Group--; w.at.LastDelete.Group = 3 }, ErrFork},
		"behind a group that is not there": {func(w *world) {
			w.at.Group, w.at.Head = 8, crypto.Hash{1}
			w.at.LastDelete = wal.Mark{Group: 8, Hash: w.at.Head}
		}, ErrCut},
	} {
		w, l, _ := told(t)
		state := w.state()
		c.spoil(w)
		w.session()
		w.delete("seven")
		_, err := w.compare(l, state)
		wantKind(t, name, err, c.kind)
	}
	for name, spoil := range map[string]func(w *world){
		"a number from before the epoch":          func(w *world) { w.at.Group-- },
		"a sequence number from before the epoch": func(w *world) { w.at.Seq-- },
		"behind another end of the epoch before":  func(w *world) { w.at.Head[0]++ },
		"behind the end of the epoch before":      nil,
	} {
		l := new(list)
		w := newWorld(t, l)
		w.delete("one")
		w.upsert("two")
		w.upsert("three")
		w.epoch(w.root)
		state := w.state()
		if spoil != nil {
			spoil(w)
		}
		w.session()
		w.delete("four")
		_, err := w.compare(l, state)
		if spoil == nil {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		wantKind(t, name, err, ErrAltered)
	}
	l := new(list)
	w := bare(t, l)
	w.at = wal.Position{Group: 2, Seq: 2, Head: crypto.Hash{2}}
	w.append((&Begin{Index: w.index, Name: "letters", At: w.at}).Entry())
	w.records, w.raw = nil, nil
	at := w.at
	w.at = wal.Position{}
	w.epoch(w.root)
	w.at = at
	state := w.state()
	w.at.Head[0]++
	w.session()
	w.delete("three")
	_, err := w.compare(l, state)
	wantKind(t, "behind another group than that with which the ledger begins", err, ErrAltered)
}

// TestRecordsThatDoNotGoOnFromOneAnotherAreRefused: signed by root, and behind
// another record or another log than the ledger's.
func TestRecordsThatDoNotGoOnFromOneAnotherAreRefused(t *testing.T) {
	for name, spoil := range map[string]func(r *crypto.EpochRecord){
		"behind another record":       func(r *crypto.EpochRecord) { r.Previous[0]++ },
		"behind an earlier group":     func(r *crypto.EpochRecord) { r.Pin.Group-- },
		"behind an earlier number":    func(r *crypto.EpochRecord) { r.Pin.Seq-- },
		"behind a group of that kind": func(r *crypto.EpochRecord) { r.Pin.Head[0]++ },
		"of the same number":          func(r *crypto.EpochRecord) { r.Epoch-- },
		"as it should be":             nil,
	} {
		w, l, _ := told(t)
		state := w.state()
		r, raw := w.record(w.root)
		if spoil != nil {
			spoil(r)
			var err error
			if raw, err = r.Sign(w.root, nil); err != nil {
				t.Fatal(err)
			}
		}
		want := ErrFork
		if spoil == nil {
			want = nil
		}
		in := append(slices.Clone(*l), EpochEntry(raw))
		_, err := w.compare(&in, state)
		wantKind(t, name, err, want)
		if r.Epoch != 3 {
			continue
		}
		// The same where the store has it, and the ledger does not.
		_, err = w.compare(l, State{At: state.At, Record: r, Sum: crypto.Sum(raw)})
		wantKind(t, name+", in the store", err, want)
	}
}

// TestForkIsTold where the ledger and the store have no group of one number: by
// the store's delete that the ledger passes over, and by numbers alone.
func TestForkIsTold(t *testing.T) {
	l := new(list)
	w := newWorld(t, l)
	w.delete("one")
	then := w.state()
	w.upsert("two")
	w.upsert("three")
	w.upsert("four")
	w.delete("five")
	w.ledger, w.at = new(list), then.At
	w.session()
	w.delete("not two")
	_, err := w.compare(l, w.state())
	wantKind(t, "a delete that the ledger passes over", err, ErrFork)
	for name, at := range map[string]wal.Position{
		"as many groups, fewer records": {Group: 5, Seq: 3},
		"fewer groups, as many records": {Group: 3, Seq: 5},
	} {
		s := then
		at.Head, at.LastDelete = crypto.Hash{1}, then.At.LastDelete
		s.At = at
		_, err := w.compare(l, s)
		wantKind(t, name, err, ErrFork)
	}
	s := then
	s.At.Group, s.At.Seq, s.At.Head = 3, 3, crypto.Hash{1}
	if c, err := w.compare(l, s); err != nil || len(c.Missing) != 1 {
		t.Errorf("a store that may have gone the same way: %+v, %v", c, err)
	}
}

// TestForgeryIsNoFork: who cannot sign does not make one.
func TestForgeryIsNoFork(t *testing.T) {
	w, l, states := told(t)
	state, e := w.state(), *l
	forge := func(at wal.Position) []byte {
		f := *w
		f.ledger, f.at = new(list), at
		f.alice = crypto.NewSigner(w.alice.User(), seed(t, 77))
		f.session()
		f.delete("forged")
		return (*f.ledger.(*list))[0]
	}
	for name, entries := range map[string]list{
		"in place of the store's last": append(slices.Clone(e[:6]), forge(states[6].At)),
		"between two":                  append(slices.Clone(e[:6]), forge(states[5].At), e[6]),
	} {
		_, err := w.compare(&entries, state)
		wantKind(t, name, err, ErrAltered)
	}
}

func TestStoreOfAnEpochFromBeforeTheLedgerIsCut(t *testing.T) {
	l := new(list)
	w := bare(t, new(list))
	w.epoch(w.root)
	before := w.state()
	w.epoch(w.root)
	w.ledger = l
	w.append((&Begin{Index: w.index, Name: "letters", At: w.at}).Entry())
	w.append(EpochEntry(w.raw[1]))
	if c, err := w.compare(l, w.state()); err != nil || !c.Same() {
		t.Errorf("as it is: %+v, %v", c, err)
	}
	_, err := w.compare(l, before)
	wantKind(t, "of the epoch before", err, ErrCut)
}
