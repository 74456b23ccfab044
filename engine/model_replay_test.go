package engine_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// TestAForgottenDeleteIsFoundShrunkAndReplayed tests the model test: a model that
// forgets its third delete is told, by a few steps; and the flags that are printed
// take the very steps again that had failed, and the few that are left of them.
func TestAForgottenDeleteIsFoundShrunkAndReplayed(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir) // rapid leaves a file of the failure there
	set := func(name, value string) { modelFlags(t, map[string]string{name: value}) }
	set("rapid.checks", "50")
	set("rapid.steps", "20")
	set("rapid.shrinktime", "60s") // as long as it takes on a slow machine
	const forget = 1
	few := 8
	if crashLong() {
		few = 4
	}
	found, said := modelFails(t, forget, few)
	if !strings.Contains(said, "[rapid] failed after") {
		t.Fatalf("the fault is not found, or not again: %s", said)
	}
	flags := regexp.MustCompile(`-rapid\.failfile="([^"]+)" \(or -rapid\.seed=(\d+)\)`).FindStringSubmatch(said)
	if flags == nil {
		t.Fatalf("how to run it again is not said: %s", said)
	}
	steps, shrunk := found.failed[0], found.failed[len(found.failed)-1]
	t.Logf("%d steps, shrunk to %v, in %d runs", len(steps), shrunk, len(found.failed))
	deletes := slices.Contains(shrunk, "delete") || slices.Contains(shrunk, "crashDuring") // a delete, perhaps
	if len(shrunk) > few || !slices.Contains(shrunk, "upsert") || !deletes {
		t.Errorf("%d steps have been shrunk to %d: %v", len(steps), len(shrunk), shrunk)
	}
	set("rapid.nofailfile", "true")
	set("rapid.shrinktime", "0s")
	t.Chdir(t.TempDir()) // where rapid finds none
	for _, again := range []struct {
		flag, value string
		want        []string
	}{{"rapid.seed", flags[2], steps}, {"rapid.failfile", filepath.Join(dir, flags[1]), shrunk}} {
		set(again.flag, again.value)
		have, _ := modelFails(t, forget, len(again.want)) // rapid goes on for a while after its time
		if !slices.Equal(have.failed[0], again.want) {
			t.Errorf("-%s=%s takes the steps %v, they were %v", again.flag, again.value, have.failed[0], again.want)
		}
	}
}

// modelFake is a test within a test, which is to fail.
type modelFake struct {
	mu     sync.Mutex
	failed bool
	text   []string
}

// modelFails runs a check that is to fail, and answers what it has done and said.
func modelFails(t *testing.T, forget, enough int) (*modelCounts, string) {
	t.Helper()
	c, f := newModelCounts(), new(modelFake)
	c.enough = enough
	done := make(chan struct{})
	go func() { // which rapid ends
		defer close(done)
		c.check(t, f, forget)
	}()
	<-done
	said := strings.Join(f.text, "\n")
	if !f.failed || len(c.failed) == 0 {
		t.Fatalf("it has not failed: %s", said)
	}
	return c, said
}

func (f *modelFake) say(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = append(f.text, text)
}

func (f *modelFake) Helper()                   {}
func (f *modelFake) Name() string              { return "Fake" }
func (f *modelFake) Logf(s string, a ...any)   { f.say(fmt.Sprintf(s, a...)) }
func (f *modelFake) Log(a ...any)              { f.say(fmt.Sprintln(a...)) }
func (f *modelFake) Skipf(s string, a ...any)  { f.Skip(fmt.Sprintf(s, a...)) }
func (f *modelFake) Skip(a ...any)             { f.say(fmt.Sprintln(a...)); f.SkipNow() }
func (f *modelFake) SkipNow()                  { runtime.Goexit() }
func (f *modelFake) Errorf(s string, a ...any) { f.Logf(s, a...); f.Fail() }
func (f *modelFake) Error(a ...any)            { f.Log(a...); f.Fail() }
func (f *modelFake) Fatalf(s string, a ...any) { f.Logf(s, a...); f.FailNow() }
func (f *modelFake) Fatal(a ...any)            { f.Log(a...); f.FailNow() }
func (f *modelFake) FailNow()                  { f.Fail(); runtime.Goexit() }
func (f *modelFake) Fail()                     { f.mu.Lock(); f.failed = true; f.mu.Unlock() }
func (f *modelFake) Failed() bool              { f.mu.Lock(); defer f.mu.Unlock(); return f.failed }
