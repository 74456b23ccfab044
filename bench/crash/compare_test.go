package crash

import (
	"io"
	"slices"
	"testing"

	"oubliette/bench/store"
)

// now is the moment of the readings of these tests.
const now = 1_800_000_000_000

var (
	first   = version{V: 1}
	second  = version{V: 2}
	third   = version{V: 3}
	expired = version{V: 4, Expires: now - 10}
	later   = version{V: 5, Expires: now + 60_000}
	between = version{V: 6, Expires: now + 1} // within the reading
)

// seen is an item as a child reports it.
func seen(id string, v version) message {
	it := makeItem(id, v)
	return message{What: found, IDs: []string{id}, Version: v, Canon: canon(&it)}
}

func reads(items ...message) *reading { return &reading{items, now, now + 5} }

func testOracle() *oracle {
	return newOracle(io.Discard, newReport(store.Kind{Name: "x"}, &Options{}))
}

// done tells the oracle of a call that was acknowledged, under of one that was
// not.
func (o *oracle) done(op op, v version, ids ...string) {
	o.under(0, op, v, ids...)
	o.hear(message{What: ended, Op: op})
}

func (o *oracle) under(writer int, op op, v version, ids ...string) {
	o.hear(message{What: began, Worker: writer, Op: op, Version: v, IDs: ids})
}

func verdictsOf(list []misstep) (out []Verdict) {
	for _, m := range list {
		out = append(out, m.verdict)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func TestAcknowledgedCallsAreHeldAgainstWhatIsThere(t *testing.T) {
	altered := seen("a", first)
	altered.Canon = altered.Canon[:20] + "x" + altered.Canon[21:]
	for name, c := range map[string]struct {
		put   version
		then  func(o *oracle)
		found []message
		want  []Verdict
	}{
		"as it was put":               {first, nil, []message{seen("a", first)}, nil},
		"gone":                        {first, nil, nil, []Verdict{Lost}},
		"altered":                     {first, nil, []message{altered}, []Verdict{Altered}},
		"twice":                       {first, nil, []message{seen("a", first), seen("a", first)}, []Verdict{Invented}},
		"nobody's":                    {first, nil, []message{seen("a", first), seen("b", first)}, []Verdict{Invented}},
		"deleted":                     {first, func(o *oracle) { o.done(deletes, version{}, "a") }, nil, nil},
		"deleted and there":           {first, func(o *oracle) { o.done(deletes, version{}, "a") }, []message{seen("a", first)}, []Verdict{Returned}},
		"replaced":                    {first, func(o *oracle) { o.done(upserts, second, "a") }, []message{seen("a", second)}, nil},
		"replaced, and the old there": {first, func(o *oracle) { o.done(upserts, second, "a") }, []message{seen("a", first)}, []Verdict{Lost}},
		"expired":                     {expired, nil, nil, nil},
		"expired and there":           {expired, nil, []message{seen("a", expired)}, []Verdict{Returned}},
		"to expire":                   {later, nil, []message{seen("a", later)}, nil},
		"to expire and gone":          {later, nil, nil, []Verdict{Lost}},
		"expiring, gone":              {between, nil, nil, nil},
		"expiring, there":             {between, nil, []message{seen("a", between)}, nil},
	} {
		o := testOracle()
		o.done(upserts, c.put, "a")
		if c.then != nil {
			c.then(o)
		}
		if got := verdictsOf(o.check(reads(c.found...), true)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestCallsUnderWayAreAllOrNothing(t *testing.T) {
	for name, c := range map[string]struct {
		op    op
		v     version
		found []message
		want  []Verdict
		then  InFlight
	}{
		"upsert done":      {upserts, second, []message{seen("a", second), seen("b", second), seen("c", second)}, nil, InFlight{Done: 1}},
		"upsert not done":  {upserts, second, []message{seen("a", first), seen("b", first)}, nil, InFlight{Undone: 1}},
		"upsert half":      {upserts, second, []message{seen("a", second), seen("b", first)}, []Verdict{Half}, InFlight{Half: 1}},
		"delete done":      {deletes, version{}, nil, nil, InFlight{Done: 1}},
		"delete not done":  {deletes, version{}, []message{seen("a", first), seen("b", first)}, nil, InFlight{Undone: 1}},
		"delete half":      {deletes, version{}, []message{seen("b", first)}, []Verdict{Half}, InFlight{Half: 1}},
		"neither":          {upserts, second, []message{seen("a", third), seen("b", first)}, []Verdict{Lost}, InFlight{Undone: 1}},
		"new and expired":  {upserts, expired, nil, nil, InFlight{Done: 1}},
		"lost under way":   {upserts, second, []message{seen("a", first)}, []Verdict{Lost}, InFlight{Undone: 1}},
		"expired yet seen": {upserts, expired, []message{seen("a", expired), seen("b", expired)}, []Verdict{Returned}, InFlight{Unclear: 1}},
	} {
		o := testOracle()
		o.done(upserts, first, "a", "b")
		o.under(1, c.op, c.v, "a", "b", "c")
		if got := verdictsOf(o.check(reads(c.found...), true)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		if o.report.InFlight != c.then {
			t.Errorf("%s: counted as %+v, want %+v", name, o.report.InFlight, c.then)
		}
	}
}

// What was found not done must not come later, and what was found done stays.
func TestCallsUnderWayAreSettledOnce(t *testing.T) {
	o := testOracle()
	o.done(upserts, first, "a")
	o.under(1, upserts, second, "a")
	if wrong := o.check(reads(seen("a", first)), true); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	if got := verdictsOf(o.check(reads(seen("a", second)), true)); !slices.Equal(got, []Verdict{Lost}) {
		t.Errorf("done later: %v", got)
	}
	o.under(1, deletes, version{}, "a")
	if wrong := o.check(reads(), true); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	if got := verdictsOf(o.check(reads(seen("a", first)), true)); !slices.Equal(got, []Verdict{Returned}) {
		t.Errorf("undone later: %v", got)
	}
}

// Only what has been done gives up its bytes.
func TestPiecesAreBuriedWithTheCallThatTakesThem(t *testing.T) {
	call := func(found ...message) int {
		o := testOracle()
		o.done(upserts, first, "a")
		o.hear(message{What: began, Worker: 1, Op: deletes, IDs: []string{"a"}, Pieces: [][]byte{randomRun(32)}})
		if wrong := o.check(reads(found...), true); len(wrong) > 0 {
			t.Fatal(wrong)
		}
		return len(o.buried())
	}
	if n := call(); n != 1 {
		t.Errorf("delete done: %d pieces, want 1", n)
	}
	if n := call(seen("a", first)); n != 0 {
		t.Errorf("delete not done: %d pieces, want none", n)
	}
}

func TestPiecesOfWhatExpiresAreBuriedInTime(t *testing.T) {
	o := testOracle()
	o.hear(message{What: noted, Version: later, Pieces: [][]byte{randomRun(32)}})
	o.hear(message{What: noted, Version: expired, Pieces: [][]byte{randomRun(33)[:32]}})
	o.buryExpired(now)
	if len(o.dead) != 1 || len(o.expiring) != 1 {
		t.Errorf("%d buried, %d to come, want 1 and 1", len(o.dead), len(o.expiring))
	}
	if o.buryExpired(later.Expires); len(o.dead) != 2 || len(o.expiring) != 0 {
		t.Errorf("%d buried, %d to come, want 2 and none", len(o.dead), len(o.expiring))
	}
}

func TestAWriterSeesWhatAReaderSaw(t *testing.T) {
	o := testOracle()
	o.done(upserts, first, "a")
	o.under(1, upserts, second, "a")
	if wrong := o.peek(reads(seen("a", second)), true); len(wrong) > 0 {
		t.Fatal(wrong)
	}
	if got := verdictsOf(o.check(reads(seen("a", first)), true)); !slices.Equal(got, []Verdict{Altered}) {
		t.Errorf("undone after a reader saw it done: %v", got)
	}
}
