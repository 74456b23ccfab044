package crash

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"oubliette/bench/store"
)

// Run kills a store so many times. What the store does wrong is in the report;
// an error says that the run itself could not go on, and the report then has
// what there was until then. What is left in Options.Dir are the folders that
// the report names as kept.
func Run(ctx context.Context, kind store.Kind, o Options) (*Report, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	r := newReport(kind, &o)
	run := &run{kind: kind, Options: o, report: r, spans: &spans{typ: make(map[string]time.Duration)},
		rnd: rand.New(rand.NewPCG(o.Seed, 0))}
	began := time.Now()
	for r.Kills < o.Kills && r.broken < o.MaxBroken {
		if err = run.folder(ctx); err != nil {
			break
		}
	}
	r.Seconds = time.Since(began).Seconds()
	return r, err
}

// run is what the folders of a run share.
type run struct {
	Options
	kind   store.Kind
	report *Report
	spans  *spans
	rnd    *rand.Rand
	spoken time.Time // when progress was last printed

	sessions uint64 // that have worked
}

// folder makes a fresh folder and kills in it, until there have been enough
// kills or something is broken.
func (r *run) folder(ctx context.Context) (err error) {
	f, err := newFolder(r)
	if err != nil {
		return err
	}
	r.report.Folders++
	err = f.rounds(ctx)
	err = errors.Join(err, f.end())
	if f.broken {
		r.report.broken++
	}
	if f.broken || r.Keep {
		r.report.Kept = append(r.report.Kept, f.path)
		return err
	}
	return errors.Join(err, os.RemoveAll(f.path))
}

// progress prints how far the run has come, every few seconds.
func (r *run) progress() {
	if time.Since(r.spoken) > 5*time.Second {
		r.spoken = time.Now()
		fmt.Fprintf(r.Progress, "%s: %d of %d kills\n", r.kind.Name, r.report.Kills, r.Kills)
	}
}
