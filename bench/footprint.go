package main

import (
	"context"
	"fmt"
)

// footprint closes a store and answers how many bytes of disk it takes then, and of
// memory once a fresh process has opened it and read the item live: all stores of a
// workload are open in one process, where nobody can tell whose memory it is.
// Without a live item none is read.
func (e *entrant) footprint(ctx context.Context, live string) (disk, memory float64, err error) {
	if err := e.close(); err != nil {
		return 0, 0, err
	}
	if disk, err = diskBlocks(e.dir); err != nil {
		return 0, 0, err
	}
	task := &errand{Kind: e.Name, Dir: e.dir, Key: e.setup.Key, Within: e.setup.PurgeWithin, Live: live, Gone: "nobody's"}
	f, err := task.send(ctx)
	return disk, float64(f.Memory), err
}

// footprints puts into a sheet what the stores take at the end of a workload.
func (es entrants) footprints(ctx context.Context, out *sheet, workload string, live func(e *entrant) string) error {
	disk, memory := series{}, series{}
	for _, e := range es {
		d, m, err := e.footprint(ctx, live(e))
		if err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		disk.add(e, d/(1<<20))
		memory.add(e, m/(1<<20))
	}
	out.add(es, table{workload: workload, name: "at the end, closed", unit: "MiB of disk", values: disk})
	out.add(es, table{workload: workload, name: "at the end, opened in a fresh process", unit: "MiB of memory", values: memory})
	return nil
}
