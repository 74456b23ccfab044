package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"oubliette/bench/crash"
	"oubliette/bench/peers"
)

func main() {
	crash.Child(peers.All()...) // if this is the process that crash kills
	probe()                     // or one that measures an open
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// workloads in the order in which "all" runs them.
var workloads = []struct {
	name string
	run  func(context.Context, *settings, *sheet) error
}{
	{"delete", runDelete},
	{"erase", runErase},
	{"read", runRead},
	{"ingest", runIngest},
	{"open", runOpen},
	{"grow", runGrow},
}

// job is what the command line asks for.
type job struct {
	settings
	workload string
	json     bool
	html     string
	profile  string
}

// usage says how bench is called.
func usage() string {
	var names []string
	for _, w := range workloads {
		names = append(names, w.name)
	}
	return "usage: bench [" + strings.Join(names, "|") + "|all] [flags], or: bench report RUN.json --html FILE, or: bench crash [flags]"
}

func parse(args []string, stderr io.Writer) (j job, err error) {
	j.workload = "all"
	if len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		j.workload, args = args[0], args[1:]
	}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() { fmt.Fprintln(stderr, usage()); f.PrintDefaults() }
	j.flags(f)
	stores := f.String("stores", strings.Join(everyStore(), ","), "comma-separated `names` of those that take part")
	if err := f.Parse(args); err != nil {
		return j, err
	}
	j.Stores = strings.Split(*stores, ",")
	return j, j.validate(f.Args())
}

func (j *job) flags(f *flag.FlagSet) {
	f.StringVar(&j.Dir, "dir", os.TempDir(), "work in a fresh folder below `DIR`")
	f.IntVar(&j.Items, "items", 100_000, "`N` items in every store")
	f.IntVar(&j.Rounds, "rounds", 9, "`N` turns of every store")
	f.IntVar(&j.Pending, "pending", 1_000_000, "open stores with up to `N` pending tombstones")
	f.IntVar(&j.Grow, "grow", 1_000_000, "grow stores up to `N` items")
	f.StringVar(&j.MNIST, "mnist", "", "take the images of the MNIST test set in `DIR` as items, as gzipped IDX files")
	f.StringVar(&j.FVecs, "fvecs", "", "take the vectors of `FILE` as items")
	f.StringVar(&j.JSONL, "jsonl", "", "take the items of `FILE`, one JSON object a line")
	f.DurationVar(&j.Limit, "limit", 20*time.Second, "a store has `TIME` for its turns of one measurement, and is cut off after that")
	f.BoolVar(&j.json, "json", false, "print JSON")
	f.StringVar(&j.html, "html", "", "write the figures as a page into `FILE` as well")
	f.StringVar(&j.profile, "profile", "", "write CPU, block, mutex and allocation profiles into `DIR`")
}

// validate reports all that is wrong with a job.
func (j *job) validate(rest []string) error {
	var errs []error
	if len(rest) > 0 {
		errs = append(errs, fmt.Errorf("unexpected argument %q; %s", rest[0], usage()))
	}
	if j.workload != "all" && !isWorkload(j.workload) {
		errs = append(errs, fmt.Errorf("unknown workload %q; %s", j.workload, usage()))
	}
	return errors.Join(append(errs, j.settings.validate())...)
}

func isWorkload(name string) bool {
	for _, w := range workloads {
		if w.name == name {
			return true
		}
	}
	return false
}

// run does what args say and removes what it has written.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	if len(args) > 0 && args[0] == "crash" {
		return runCrash(ctx, args[1:], stdout, stderr)
	}
	if len(args) > 0 && args[0] == "report" {
		return runReport(args[1:], stderr)
	}
	j, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if err := j.readItems(); err != nil { // before anything is written
		return err
	}
	page, err := beginFile(j.html)
	if err != nil {
		return err
	}
	defer page.done()
	if j.Dir, err = os.MkdirTemp(j.Dir, "oubliette-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(j.Dir)) }()
	out := &sheet{Machine: describe(j.Dir), Settings: j.settings, Stores: participants(j.Stores)}
	if j.json {
		out.head(stderr)
	} else {
		out.head(stdout)
	}
	stop, err := startProfiles(j.profile)
	if err != nil {
		return err
	}
	began := time.Now()
	err = j.workloads(ctx, out, stderr)
	out.Seconds = time.Since(began).Seconds()
	if err = errors.Join(err, stop()); err != nil {
		return err
	}
	printed := out.print
	if j.json {
		printed = out.json
	}
	return errors.Join(printed(stdout), out.html(page))
}

func (j *job) workloads(ctx context.Context, out *sheet, progress io.Writer) error {
	for _, w := range workloads {
		if j.workload != "all" && j.workload != w.name {
			continue
		}
		began := time.Now()
		if err := w.run(ctx, &j.settings, out); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
		fmt.Fprintf(progress, "%s: %.0f s\n", w.name, time.Since(began).Seconds())
	}
	return nil
}
