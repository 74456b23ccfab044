package peers

import (
	"slices"
	"strings"

	"oubliette/bench/store"
)

var kinds []store.Kind

// register adds a kind of store; its file's init calls it.
func register(k store.Kind) {
	if _, taken := Named(k.Name); taken || k.Name == "" {
		panic("peers: the name " + k.Name + " is taken")
	}
	kinds = append(kinds, k)
	slices.SortFunc(kinds, func(a, b store.Kind) int { return strings.Compare(a.Name, b.Name) })
}

// All answers every kind, by name.
func All() []store.Kind { return slices.Clone(kinds) }

// Named answers the kind of that name.
func Named(name string) (store.Kind, bool) {
	i := slices.IndexFunc(kinds, func(k store.Kind) bool { return k.Name == name })
	if i < 0 {
		return store.Kind{}, false
	}
	return kinds[i], true
}

// Names answers the names of all.
func Names() []string {
	var out []string
	for _, k := range kinds {
		out = append(out, k.Name)
	}
	return out
}
