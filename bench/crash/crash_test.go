package crash_test

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"oubliette/bench/crash"
	"oubliette/bench/peers"
	"oubliette/bench/store"
)

// small is a run that takes a few seconds.
func small(t *testing.T, kills int) crash.Options {
	return crash.Options{Kills: kills, FolderKills: 5, Writers: 3, IDs: 30, Pace: 60 * time.Millisecond, MaxBroken: 1, Dir: t.TempDir(), Seed: 1}
}

func run(t *testing.T, kind store.Kind, o crash.Options) *crash.Report {
	t.Helper()
	r, err := crash.Run(t.Context(), kind, o)
	if err != nil {
		t.Fatal(err)
	}
	if t.Failed() || testing.Verbose() {
		if err := r.Print(os.Stdout); err != nil {
			t.Error(err)
		}
	}
	return r
}

func wrongKind(f fault) store.Kind {
	kinds := wrongKinds()
	return kinds[slices.IndexFunc(kinds, func(k store.Kind) bool { return k.Name == string(f) })]
}

func TestEveryWrongStoreIsCaught(t *testing.T) {
	for f, want := range map[fault][]crash.Verdict{
		buffers:     {crash.Lost, crash.Returned},
		bringsBack:  {crash.Returned},
		halves:      {crash.Half},
		neverErases: {crash.Residue},
		alters:      {crash.Altered},
		invents:     {crash.Invented},
		forgets:     {crash.Lost, crash.Half}, // of a call under way those that replace
		panics:      {crash.Died},
		panicsLater: {crash.Died},
		hangs:       {crash.Hung},
		fails:       {crash.Failed},
		complains:   {crash.Damaged},
		miscounts:   {crash.Miscounted},
	} {
		t.Run(string(f), func(t *testing.T) {
			o := small(t, 15)
			if f == hangs {
				o.Limit = 3 * time.Second
			}
			r := run(t, wrongKind(f), o)
			if !r.Broken() || len(r.Kept) != 1 {
				t.Fatalf("broken %v, kept %v", r.Broken(), r.Kept)
			}
			for _, finding := range r.Findings {
				if !slices.Contains(want, finding.Verdict) || !finding.Breaks {
					t.Errorf("told as %v, want %v", finding, want)
				}
			}
			if len(r.Findings) == 0 {
				t.Error("no finding")
			}
			calls, err := os.ReadFile(r.Kept[0] + "/calls")
			if err != nil || f != hangs && f != complains && !strings.Contains(string(calls), "began upserts") {
				t.Errorf("the kept folder has %d bytes of calls, %v", len(calls), err)
			}
		})
	}
}

func TestFaultlessStoreIsNot(t *testing.T) {
	o := small(t, 12)
	r := run(t, wrongKind(faultless), o)
	if r.Broken() || r.Kills != 12 || r.Folders != 3 || len(r.Findings) > 0 {
		t.Errorf("%+v", r)
	}
	total := 0
	for _, n := range r.Phases {
		total += n
	}
	if total != r.Kills || r.Searches == 0 || r.Bytes == 0 || r.Residue.Pieces == 0 || r.Compared == 0 || r.Read == 0 || r.InFlight.Done+r.InFlight.Undone == 0 {
		t.Errorf("it has not looked: %+v", r)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Who promises no erasure is not blamed for residue; it is counted all the same.
func TestResidueBreaksOnlyAPromise(t *testing.T) {
	kind := wrongKind(neverErases)
	kind.Promises.Erases = false
	r := run(t, kind, small(t, 6))
	if r.Broken() || r.Residue.Found == 0 || r.Residue.Files["log"] == 0 {
		t.Errorf("broken %v, residue %+v", r.Broken(), r.Residue)
	}
}

// Who promises it for each item only may do a part of a call.
func TestHalfACallBreaksOnlyAPromise(t *testing.T) {
	kind := wrongKind(halves)
	kind.Promises.Atomic = false
	o := small(t, 10)
	o.Aims = []string{crash.Writing}
	r := run(t, kind, o)
	if r.Broken() || r.InFlight.Half == 0 {
		t.Errorf("broken %v, in flight %+v", r.Broken(), r.InFlight)
	}
}

func TestKillsHitThePhasesTheyAreMeantFor(t *testing.T) {
	for _, aim := range []string{crash.Erasing, crash.Compacting, crash.Opening, crash.Closing} {
		o := small(t, 8)
		o.Aims = []string{aim}
		if r := run(t, wrongKind(faultless), o); r.Phases[aim] == 0 || r.Broken() {
			t.Errorf("%s: killed while %v", aim, r.Phases)
		}
	}
}

// badgerLeaves is how Badger refuses to open when a kill has come right after it
// had made a file, before it gave it a length (dgraph-io/badger#2207, open as of
// v4.9.6). Whether a few kills hit that moment is chance.
const badgerLeaves = "Create a new file"

func TestEveryPeerKeepsItsPromises(t *testing.T) {
	for _, kind := range peers.All() {
		t.Run(kind.Name, func(t *testing.T) {
			r := run(t, kind, small(t, 4))
			if kind.Name == "badger" && r.Broken() && strings.Contains(r.Findings[len(r.Findings)-1].Text, badgerLeaves) {
				t.Skipf("after %d kills it has shown a fault of its own that is known: %v", r.Kills, r.Findings[len(r.Findings)-1])
			}
			if r.Broken() || r.Kills != 4 {
				t.Errorf("%d kills, %v", r.Kills, r.Findings)
			}
		})
	}
}
