package crash

import (
	"fmt"
	"slices"
)

// reading is all that a scan or a get has found, and between which moments, in
// milliseconds since 1970.
type reading struct {
	items    []message
	from, to int64
}

// wrongs collects what a comparison has found.
type wrongs struct {
	list []misstep
}

func (w *wrongs) add(v Verdict, format string, args ...any) {
	w.list = append(w.list, *wrong(v, format, args...))
}

// compare holds a reading against what has to be there. It answers the items
// that were found, by id.
func (o *oracle) compare(r *reading, w *wrongs) map[string]message {
	open := o.underWay()
	have := make(map[string]message, len(r.items))
	for _, m := range r.items {
		id := m.IDs[0]
		if _, twice := have[id]; twice {
			w.add(Invented, "%s is there twice", id)
		}
		have[id] = m
		if !o.ever[id] {
			w.add(Invented, "%s is there, and nobody has put it in", id)
		} else if !open[id] {
			if v, text := judge(id, o.items[id], m.Version, m.Canon, r.from); v != "" {
				w.add(v, "%s", text)
			}
		}
	}
	for id, v := range o.items {
		if _, ok := have[id]; !ok && !open[id] && v.lives(r.to) {
			w.add(Lost, "%s is not there, and has to be as %s", id, v)
		}
	}
	o.report.Compared += len(o.items)
	return have
}

// underWay are the ids of calls that were neither acknowledged nor settled.
func (o *oracle) underWay() map[string]bool {
	out := make(map[string]bool)
	for _, call := range o.pending {
		for _, id := range call.IDs {
			out[id] = true
		}
	}
	return out
}

// outcome is what has become of a call that was under way, id by id.
type outcome struct {
	done, undone []string
	either       []string // the item is gone whether the call was done or not
	wrongs       wrongs
}

// outcomeOf holds what is there against what was there before a call and what
// it was to make of it.
func (o *oracle) outcomeOf(call *message, have map[string]message, r *reading) (out outcome) {
	to := r.to
	for _, id := range call.IDs {
		before, after := o.items[id], call.Version
		m, there := have[id]
		genuine := makeItem(id, m.Version)
		switch {
		case there && m.Canon != canon(&genuine):
			out.wrongs.add(Altered, "%s, of a call under way, is neither what it was nor what it was to be", id)
		case there && m.Version.gone(r.from):
			out.wrongs.add(Returned, "%s, of a call under way, is there as %s, and has expired", id, m.Version)
		case there && m.Version == after:
			out.done = append(out.done, id)
		case there && m.Version == before:
			out.undone = append(out.undone, id)
		case there && before.V != 0:
			out.wrongs.add(Lost, "%s, of a call under way, is there as %s: it was %s and was to be %s", id, m.Version, before, after)
		case there:
			out.wrongs.add(Returned, "%s, of a call under way, is there as %s: it was not there and was to be %s", id, m.Version, after)
		case !after.lives(to) && !before.lives(to):
			out.either = append(out.either, id)
		case !after.lives(to):
			out.done = append(out.done, id)
		case !before.lives(to):
			out.undone = append(out.undone, id)
		default:
			out.wrongs.add(Lost, "%s, of a call under way, is not there: it was %s and was to be %s", id, before, after)
		}
	}
	return out
}

// settle decides the calls that were under way by what is there, once and for
// all: what has not been done must not come later.
func (o *oracle) settle(have map[string]message, r *reading, atomic bool, w *wrongs) {
	writers := make([]int, 0, len(o.pending))
	for n := range o.pending {
		writers = append(writers, n)
	}
	slices.Sort(writers)
	for _, n := range writers {
		call := o.pending[n]
		out := o.outcomeOf(&call, have, r)
		w.list = append(w.list, out.wrongs.list...)
		o.count(&call, &out, atomic, w)
		for _, id := range append(out.done, out.either...) {
			if len(out.done) > 0 || len(out.undone) == 0 { // what cannot be told goes with the rest of its call
				o.set(id, call.Version)
			}
		}
		if len(out.done) > 0 && len(out.undone) == 0 {
			o.bury(call.Pieces)
		}
		o.note(fmt.Sprintf("settled: %d done, %d not done, %d cannot be told,", len(out.done), len(out.undone), len(out.either)), &call)
	}
	clear(o.pending)
}

// count adds a call that was under way to the report.
func (o *oracle) count(call *message, out *outcome, atomic bool, w *wrongs) {
	f := &o.report.InFlight
	switch {
	case len(out.done) > 0 && len(out.undone) > 0:
		f.Half++
		if atomic {
			w.add(Half, "of a call (%s) of %d ids %d are done and %d are not, such as %s and %s",
				call.Op, len(call.IDs), len(out.done), len(out.undone), out.done[0], out.undone[0])
		}
	case len(out.done) > 0:
		f.Done++
	case len(out.undone) > 0:
		f.Undone++
	default:
		f.Unclear++
	}
}

// check compares a reading and settles what was under way.
func (o *oracle) check(r *reading, atomic bool) []misstep {
	o.mu.Lock()
	defer o.mu.Unlock()
	var w wrongs
	have := o.compare(r, &w)
	o.samePeek(have, r.to, &w)
	o.settle(have, r, atomic, &w)
	return w.list
}

// peek compares what somebody has read who changes nothing, and settles nothing:
// whoever opens next for writing has to find the same.
func (o *oracle) peek(r *reading, atomic bool) []misstep {
	o.mu.Lock()
	defer o.mu.Unlock()
	var w wrongs
	o.peeked = o.compare(r, &w)
	for _, call := range o.pending {
		out := o.outcomeOf(&call, o.peeked, r)
		w.list = append(w.list, out.wrongs.list...)
		if atomic && len(out.done) > 0 && len(out.undone) > 0 {
			w.add(Half, "a reader sees %d ids of a call (%s) done and %d not", len(out.done), call.Op, len(out.undone))
		}
	}
	return w.list
}

// samePeek holds what is there against what a reader has seen before.
func (o *oracle) samePeek(have map[string]message, to int64, w *wrongs) {
	if o.peeked == nil {
		return
	}
	for id := range o.ever {
		saw, is := o.peeked[id].Version, have[id].Version
		if saw != is && (saw.lives(to) || is.lives(to)) {
			w.add(Altered, "a reader saw %s as %s, and who opens for writing sees it as %s", id, saw, is)
		}
	}
	o.peeked = nil
}
