package main

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"oubliette/bench/crash"
	"oubliette/bench/peers"
	"oubliette/bench/store"
)

const crashUsage = `usage: bench crash [flags]

Kills processes that write to a store, opens what they leave, and holds it
against what they had been told. Exits with 1 when a store has broken what it
promises. Kill moments come once; the same seed chooses the same calls.
`

// errBroken ends a crash run whose report has said why.
var errBroken = errors.New("a store has broken what it promises")

// crashJob is what the command line of crash asks for.
type crashJob struct {
	crash.Options
	kinds []store.Kind
	json  bool
}

func parseCrash(args []string, stderr io.Writer) (j crashJob, err error) {
	f := flag.NewFlagSet("bench crash", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprint(stderr, crashUsage); f.PrintDefaults() }
	engine := f.String("engine", ours, "the store to kill: `NAME` is one of "+strings.Join(peers.Names(), ", ")+", or all")
	f.IntVar(&j.Kills, "kills", 100, "kill each store `N` times")
	seed := f.Uint64("seed", 0, "choose calls and moments by `S` (default: drawn and printed)")
	f.StringVar(&j.Dir, "dir", os.TempDir(), "work in fresh folders below `DIR`")
	f.BoolVar(&j.Keep, "keep", false, "keep the folders; those that show a broken promise are kept anyway")
	f.BoolVar(&j.json, "json", false, "print JSON")
	f.IntVar(&j.FolderKills, "fresh", 20, "begin a fresh folder every `N` kills")
	f.IntVar(&j.MaxBroken, "broken", 3, "go on until `N` folders show a broken promise")
	if err := f.Parse(args); err != nil {
		return j, err
	}
	j.Seed = *seed
	if !given(f, "seed") {
		var b [4]byte
		rand.Read(b[:]) // never fails
		j.Seed = uint64(binary.LittleEndian.Uint32(b[:]))
	}
	j.kinds = peers.All()
	if *engine != "all" {
		k, ok := peers.Named(*engine)
		if !ok {
			err = fmt.Errorf("--engine: unknown store %q, there are %s and all", *engine, strings.Join(peers.Names(), ", "))
		}
		j.kinds = []store.Kind{k}
	}
	if f.NArg() > 0 {
		err = errors.Join(err, fmt.Errorf("unexpected argument %q", f.Arg(0)))
	}
	if min(j.Kills, j.FolderKills, j.MaxBroken) < 1 {
		err = errors.Join(err, fmt.Errorf("--kills %d, --fresh %d, --broken %d: all have to be 1 or more", j.Kills, j.FolderKills, j.MaxBroken))
	}
	return j, err
}

func given(f *flag.FlagSet, name string) (is bool) {
	f.Visit(func(g *flag.Flag) { is = is || g.Name == name })
	return is
}

// runCrash kills the stores that args name, one after the other.
func runCrash(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	j, err := parseCrash(args, stderr)
	if err != nil {
		return err
	}
	j.Progress = stderr
	var reports []*crash.Report
	broken := error(nil)
	for _, k := range j.kinds {
		r, err := crash.Run(ctx, k, j.Options)
		if r != nil {
			reports = append(reports, r)
			if !j.json {
				err = errors.Join(err, r.Print(stdout))
			}
			if r.Broken() {
				broken = errBroken
			}
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", k.Name, err), broken)
		}
	}
	if j.json {
		if err := crash.JSON(stdout, reports); err != nil {
			return err
		}
	}
	return broken
}
