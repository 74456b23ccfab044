package crash

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// oracle knows, from what children have said, what has to be in the store and
// what must not be on its disk any more.
type oracle struct {
	mu       sync.Mutex
	items    map[string]version
	ever     map[string]bool // ids that an upsert has named
	pending  map[int]message // by writer: the call under way
	dead     map[string]bool // pieces that the next erasure takes
	expiring []message       // pieces that go at a moment
	receipts []receipt
	told     []message          // by children
	peeked   map[string]message // what a reader has seen since the last kill; nil: there was none
	log      io.Writer          // of calls, for who looks into a failure
	report   *Report
}

// receipt is one of a delete that was acknowledged, with what it has to have
// found.
type receipt struct {
	bytes       []byte
	least, most int
}

func newOracle(log io.Writer, r *Report) *oracle {
	return &oracle{items: make(map[string]version), ever: make(map[string]bool), pending: make(map[int]message),
		dead: make(map[string]bool), log: log, report: r}
}

// hear takes what a child says.
func (o *oracle) hear(m message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch m.What {
	case began:
		o.note("began", &m)
		o.pending[m.Worker] = m
		if m.Op == upserts {
			for _, id := range m.IDs {
				o.ever[id] = true
			}
		}
	case ended:
		o.report.Acknowledged[m.Op]++
		o.report.Read += m.Amount
		if m.Op == upserts || m.Op == deletes {
			call := o.pending[m.Worker]
			delete(o.pending, m.Worker)
			o.note("done", &call)
			o.apply(&call)
			if m.Receipt != nil {
				o.receipts = append(o.receipts, receipt{m.Receipt, call.Least, call.Most})
			}
		}
	case noted:
		o.expiring = append(o.expiring, m)
	case told:
		o.told = append(o.told, m)
	}
}

// apply makes a call's change.
func (o *oracle) apply(call *message) {
	for _, id := range call.IDs {
		o.set(id, call.Version) // a delete has none
	}
	o.bury(call.Pieces)
}

func (o *oracle) set(id string, v version) {
	if v.V == 0 {
		delete(o.items, id)
	} else {
		o.items[id] = v
	}
}

func (o *oracle) bury(pieces [][]byte) {
	for _, p := range pieces {
		o.dead[string(p)] = true
	}
}

// buryExpired adds the pieces of what has expired at a moment.
func (o *oracle) buryExpired(now int64) {
	later := o.expiring[:0]
	for _, m := range o.expiring {
		if m.Version.gone(now) {
			o.bury(m.Pieces)
		} else {
			later = append(later, m)
		}
	}
	o.expiring = later
}

// note writes a call into the log.
func (o *oracle) note(what string, m *message) {
	fmt.Fprintf(o.log, "%s writer %d: %s %s of %s %v\n", time.Now().UTC().Format("15:04:05.000000"), m.Worker, what, m.Op, m.Version, m.IDs)
}

// takeTold answers what children have told since it was last asked.
func (o *oracle) takeTold() []message {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := o.told
	o.told = nil
	return out
}

// have is what has to be in the store now, for a child that is to go on.
func (o *oracle) have() map[string]version {
	o.mu.Lock()
	defer o.mu.Unlock()
	out := make(map[string]version, len(o.items))
	for id, v := range o.items {
		out[id] = v
	}
	return out
}

// underWayOr says what a kill has hit when no phase was under way.
func (o *oracle) underWayOr(idle string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.pending) > 0 {
		return Writing
	}
	return idle
}
