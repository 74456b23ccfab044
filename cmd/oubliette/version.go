package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
)

// build is which build of the command this is, as far as the toolchain has
// noted it.
type build struct {
	Version  string `json:"version"` // "(devel)" when it was not built as a module's version
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified"` // from files that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func thisBuild() build {
	b := build{Version: "(unknown)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	b.Version = cmp.Or(info.Main.Version, "(devel)")
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}

func (a *app) printVersion() error {
	b := thisBuild()
	if a.json {
		return writeJSON(a.stdout, b)
	}
	text := fmt.Sprintf("oubliette %s, %s, %s", b.Version, b.Go, b.Platform)
	if b.Commit != "" {
		text += ", commit " + b.Commit
	}
	if b.Modified {
		text += ", modified"
	}
	_, err := fmt.Fprintln(a.stdout, text)
	return err
}
