package html

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// group is one case of one workload: a figure a store.
type group struct {
	workload, name, unit string
	figures              []Figure
}

// groups puts figures of one case together, in the order of their first.
func groups(figures []Figure) (out []*group) {
	type key struct{ workload, name, unit string }
	there := make(map[key]*group)
	for _, f := range figures {
		k := key{f.Workload, f.Case, f.Unit}
		if there[k] == nil {
			there[k] = &group{f.Workload, f.Case, f.Unit, nil}
			out = append(out, there[k])
		}
		there[k].figures = append(there[k].figures, f)
	}
	return out
}

// storesOf are the names of the stores, in the order of their first figure.
func storesOf(gs []*group) (out []string) {
	there := make(map[string]bool)
	for _, g := range gs {
		for _, f := range g.figures {
			if !there[f.Store] {
				there[f.Store] = true
				out = append(out, f.Store)
			}
		}
	}
	return out
}

// family is what one chart shows: one case, or several that differ in nothing but
// a number.
type family struct {
	workload, name, unit string
	groups               []*group
	sizes                []float64 // the numbers, ascending, a group each; none: one case
}

// fewest is how many cases make a line.
const fewest = 3

// families puts cases that differ in one number together, each family where its
// first case stands. A case is of one family at most, by the first number in its
// name that makes one.
func families(gs []*group) (out []*family) {
	like := make(map[pattern][]*group)
	for _, g := range gs {
		for _, s := range g.spots() {
			like[s.pattern] = append(like[s.pattern], g)
		}
	}
	placed := make(map[*group]bool)
	for _, g := range gs {
		if placed[g] {
			continue
		}
		f := &family{g.workload, g.name, g.unit, []*group{g}, nil}
		for _, s := range g.spots() {
			if free := slices.DeleteFunc(slices.Clone(like[s.pattern]), func(o *group) bool { return placed[o] }); len(free) >= fewest {
				f = lined(s.pattern, free)
				break
			}
		}
		for _, member := range f.groups {
			placed[member] = true
		}
		out = append(out, f)
	}
	return out
}

// lined is the family of all cases that fit a pattern.
func lined(p pattern, gs []*group) *family {
	f := &family{p.workload, p.before + "…" + p.after, p.unit, gs, nil}
	slices.SortStableFunc(f.groups, func(a, b *group) int { return cmp.Compare(a.size(p), b.size(p)) })
	for _, g := range f.groups {
		f.sizes = append(f.sizes, g.size(p))
	}
	return f
}

// pattern is the name of a case without one of its numbers.
type pattern struct{ workload, unit, before, after string }

// spot is a number in the name of a case.
type spot struct {
	pattern
	size float64
}

var numbers = regexp.MustCompile(`[0-9][0-9,]*(\.[0-9]+)?`)

// spots are the numbers in the name that can be on an axis.
func (g *group) spots() (out []spot) {
	for _, at := range numbers.FindAllStringIndex(g.name, -1) {
		text := strings.ReplaceAll(g.name[at[0]:at[1]], ",", "")
		if size, err := strconv.ParseFloat(text, 64); err == nil && (size == 0 || size >= least && size <= most) {
			out = append(out, spot{pattern{g.workload, g.unit, g.name[:at[0]], g.name[at[1]:]}, size})
		}
	}
	return out
}

// size is the number that stands where the pattern has none.
func (g *group) size(p pattern) float64 {
	for _, s := range g.spots() {
		if s.pattern == p {
			return s.size
		}
	}
	return 0
}
