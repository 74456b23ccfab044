package main

import (
	"fmt"
	"runtime/debug"

	"oubliette/bench/peers"
)

// participant is a store that takes part, as a report names it.
type participant struct {
	Name     string `json:"name"`
	Module   string `json:"module"`
	Version  string `json:"version"`
	Settings string `json:"settings"`
	Counted  bool   `json:"counted"` // its writes and syncs
}

func (p participant) String() string {
	s := fmt.Sprintf("%s: %s %s: %s", p.Name, p.Module, p.Version, p.Settings)
	if !p.Counted {
		s += "; its writes and syncs cannot be counted"
	}
	return s
}

// participants describes the stores of those names.
func participants(names []string) (out []participant) {
	for _, name := range names {
		k, _ := peers.Named(name) // it is one of them: settings are valid
		out = append(out, participant{k.Name, k.Module, moduleVersion(k.Module), k.Settings, k.OnFS})
	}
	return out
}

// moduleVersion is the version of a dependency of this build. One that stands in
// the place of another has none of its own: it is this checkout's.
func moduleVersion(path string) string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, d := range info.Deps {
		if d.Path == path && d.Replace != nil {
			return "of this checkout"
		}
		if d.Path == path {
			return d.Version
		}
	}
	return "unknown"
}
