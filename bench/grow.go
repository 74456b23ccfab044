package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"
)

const (
	growTurns   = 10 // slices a round
	growDeletes = 20 // in a slice
	growReads   = 200
)

// grows is the workload that makes the same calls to stores of one kind that hold
// few, more and many items. They take turns; so what counts is a store's own ratio.
type grows struct {
	*settings
	from  stock
	sizes []int
	out   *sheet

	deletes, reads, memory, disk map[int]series // by size
}

func runGrow(ctx context.Context, s *settings, out *sheet) error {
	g := &grows{settings: s, from: s.small(), sizes: []int{s.Grow / 100, s.Grow / 10, s.Grow}, out: out}
	for _, p := range []*map[int]series{&g.deletes, &g.reads, &g.memory, &g.disk} {
		*p = make(map[int]series)
		for _, n := range g.sizes {
			(*p)[n] = series{}
		}
	}
	for _, name := range s.Stores {
		if err := g.kind(ctx, name); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return g.report()
}

// grown is a store of one size.
type grown struct {
	*entrant
	size         int
	doomed, live []string
}

// kind measures one kind of store.
func (g *grows) kind(ctx context.Context, name string) (err error) {
	var es entrants
	defer func() { err = es.closeAfter(err) }()
	sized := make(map[*entrant]*grown)
	for _, n := range g.sizes {
		e, err := newEntrant(filepath.Join(g.Dir, name+"-"+strconv.Itoa(n)), name, 0)
		if err != nil {
			return err
		}
		if err := e.open(ctx); err != nil {
			return err
		}
		es = append(es, e)
		if ok, err := g.loadInTime(ctx, e, g.from, n, g.out, "grow"); err != nil || !ok {
			return err
		}
		ids := shuffled(g.from, n, 8)
		sized[e] = &grown{e, n, ids[:n/2], ids[n/2:]}
	}
	if err := g.calls(ctx, es, sized); err != nil {
		return err
	}
	for _, e := range es {
		if err := g.weigh(ctx, sized[e]); err != nil {
			return err
		}
	}
	return nil
}

// calls measures deletes and point reads.
func (g *grows) calls(ctx context.Context, es entrants, sized map[*entrant]*grown) error {
	for _, e := range es {
		if _, err := e.Erase(ctx); err != nil { // all stand as well as they can
			return err
		}
	}
	rounds, doomed := growTurns*g.Rounds, g.sizes[0]/2
	deletes := max(1, min(growDeletes, doomed/(rounds+1)))
	var warm []series
	for _, n := range g.sizes {
		warm = append(warm, g.deletes[n])
	}
	err := es.rounds(ctx, g.course(g.out, min(rounds, doomed-1), "grow, deletes").warmed(warm...), func(_ int, e *entrant) error {
		s := sized[e]
		seconds, err := s.delete(ctx, deletes)
		g.deletes[s.size].add(e, 1e6*seconds/float64(deletes))
		return err
	})
	if err != nil {
		return err
	}
	return es.rounds(ctx, g.course(g.out, rounds, "grow, point reads"), func(round int, e *entrant) error {
		s := sized[e]
		seconds, n, err := s.read(ctx, round)
		g.reads[s.size].add(e, 1e6*seconds/float64(n))
		return err
	})
}

// delete deletes n items, one a call.
func (s *grown) delete(ctx context.Context, n int) (float64, error) {
	ids := s.doomed[:n]
	s.doomed = s.doomed[n:]
	return clock(func() error {
		for i := range ids {
			if err := s.Delete(ctx, ids[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// read reads items, one a call, twice; the second time counts.
func (s *grown) read(ctx context.Context, round int) (seconds float64, n int, err error) {
	n = min(growReads, len(s.live))
	first := round * n % (len(s.live) - n + 1)
	read := func() error {
		for _, id := range s.live[first : first+n] {
			if err := readOne(ctx, s.entrant, id); err != nil {
				return err
			}
		}
		return nil
	}
	if err := read(); err != nil { // warms: a store of few items is warm for longer
		return 0, n, err
	}
	seconds, err = clock(read)
	return seconds, n, err
}

// weigh notes what a store takes; it is closed then.
func (g *grows) weigh(ctx context.Context, s *grown) error {
	disk, memory, err := s.footprint(ctx, s.live[0])
	if err != nil {
		return err
	}
	g.disk[s.size].add(s.entrant, disk/float64(s.size-s.deleted()))
	g.memory[s.size].add(s.entrant, memory/(1<<20))
	return nil
}

// deleted is how many items the store has lost.
func (s *grown) deleted() int { return s.size/2 - len(s.doomed) }

func (g *grows) report() error {
	es, err := named(g.Stores)
	if err != nil {
		return err
	}
	least := g.sizes[0]
	for _, n := range g.sizes {
		add := func(name, unit string, by map[int]series) {
			x := table{workload: "grow", name: fmt.Sprintf("%s, %s items", name, count(n)), unit: unit, values: by[n]}
			if n > least {
				x.base, x.baseName = by[least], count(least)+" items"
				x.targets = targetsOfGrowth(x.baseName)
			}
			g.out.add(es, x)
		}
		add("deletes of 1 id", "µs a delete", g.deletes)
		add("point reads", "µs a read", g.reads)
		g.out.add(es, table{workload: "grow", name: fmt.Sprintf("opened in a fresh process, %s items", count(n)), unit: "MiB of memory", values: g.memory[n],
			targets: targetsOfMemory(n)})
		g.out.add(es, table{workload: "grow", name: fmt.Sprintf("closed, %s items", count(n)), unit: "bytes of disk an item", values: g.disk[n]})
	}
	g.out.add(es, table{workload: "grow", name: fmt.Sprintf("from %s to %s items", count(least), count(g.Grow)), unit: "bytes of memory an item more", values: g.slope(es)})
	return nil
}

// slope is what each item takes of memory beyond what any store takes.
func (g *grows) slope(es entrants) series {
	out := series{}
	least := g.sizes[0]
	for _, e := range es {
		many, few := g.memory[g.Grow][e.Name], g.memory[least][e.Name]
		if len(many) > 0 && len(few) > 0 {
			out.add(e, (many[0]-few[0])*(1<<20)/float64(g.Grow-least))
		}
	}
	return out
}
