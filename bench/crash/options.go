package crash

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"time"
)

// Options say how a run goes. Zero values get the defaults that stand beside
// them.
type Options struct {
	Kills       int           // 100
	Seed        uint64        // of the workloads and of the choice of moments; 0 is one, too
	Dir         string        // where the stores' folders are made; the system's for temporary files
	Keep        bool          // keep every folder; otherwise those that show a broken promise
	FolderKills int           // kills before a fresh folder is begun; 20
	Writers     int           // goroutines that call; 4
	IDs         int           // ids of each of them; 120
	Limit       time.Duration // for whatever the store is asked to do; one minute
	Pace        time.Duration // calls go on for so long at most before a kill is aimed; 200 ms
	MaxBroken   int           // folders that show a broken promise, after which the run ends; 3
	Aims        []string      // phases that kills are meant for, one of them drawn each time; all
	Progress    io.Writer     // a line now and then; nil: none
}

// withDefaults reports all that is wrong at once.
func (o Options) withDefaults() (Options, error) {
	var errs []error
	for _, n := range []struct {
		name  string
		value *int
		def   int
		most  int
	}{
		{"Kills", &o.Kills, 100, 1_000_000}, {"FolderKills", &o.FolderKills, 20, 10_000}, {"Writers", &o.Writers, 4, 64},
		{"IDs", &o.IDs, 120, 10_000}, {"MaxBroken", &o.MaxBroken, 3, 1_000_000},
	} {
		*n.value = cmp.Or(*n.value, n.def)
		if *n.value < 1 || *n.value > n.most {
			errs = append(errs, fmt.Errorf("crash: Options.%s is %d, allowed are 1 to %d", n.name, *n.value, n.most))
		}
	}
	o.Limit = cmp.Or(o.Limit, time.Minute)
	o.Pace = cmp.Or(o.Pace, 200*time.Millisecond)
	if o.Limit < 0 || o.Pace < 0 {
		errs = append(errs, fmt.Errorf("crash: Options.Limit is %v and Pace %v, both have to be positive", o.Limit, o.Pace))
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	return o, errors.Join(errs...)
}
