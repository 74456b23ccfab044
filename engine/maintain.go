package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"oubliette/crypto"
	"oubliette/segment"
)

// maintenance is the one goroutine of an index that logs what has expired, applies,
// erases, seals and rewrites, one after the other. Every field below the channels is its own.
type maintenance struct {
	s    *state
	kick chan struct{}
	jobs chan *job
	quit chan struct{}
	done chan struct{}

	mu  sync.Mutex // guards err
	err error      // of the last turn

	pending bool // dead extents may be left

	// wiped: what has been overwritten of the extents that dead records list.
	wiped map[crypto.SegmentID][]segment.Extent
	held  bool // it is listed although it has been overwritten: for a backup

	moving   *moving // the rewrite under way, nil when there is none
	more     bool    // there is something to rewrite, or to give back
	stepSize int     // see rewriteStep

	holes []holes

	waits bool // it has been told that what is due waits for a writer's key

	lookAt                time.Time // no look for what has expired before then
	lookBlocks, lookItems int       // see look

	failures int       // turns in a row that have failed to apply, erase or seal
	retryAt  time.Time // no turn before then
}

// job is work that a caller waits for.
type job struct {
	ctx  context.Context
	run  func(ctx context.Context) error
	done chan error
}

// retryAfter is how long maintenance waits after an error before it tries
// again; it doubles with each failure in a row, maxBackoff times at most, but
// never past a quarter of PurgeWithin (or a quarter of a second).
const (
	retryAfter = time.Second / 4
	maxBackoff = 8
)

// backoff is how long to wait after so many failures in a row.
func (m *maintenance) backoff() time.Duration {
	return min(retryAfter<<min(m.failures, maxBackoff), max(m.s.db.opts.PurgeWithin/4, retryAfter))
}

const (
	// idle is how long maintenance sleeps with nothing to do.
	idle = time.Hour
	// removeAgain is how long a file that could not be destroyed is left alone.
	removeAgain = time.Minute
)

func newMaintenance(s *state) *maintenance {
	return &maintenance{
		s: s, kick: make(chan struct{}, 1), jobs: make(chan *job),
		quit: make(chan struct{}), done: make(chan struct{}),
		stepSize: defaultStep, lookBlocks: lookBlocks, lookItems: lookItems,
		wiped: make(map[crypto.SegmentID][]segment.Extent),
	}
}

// wake makes maintenance look whether something is due. It never waits, and it
// is fine on nil: a store open for reading has no maintenance.
func (m *maintenance) wake() {
	if m == nil {
		return
	}
	select {
	case m.kick <- struct{}{}:
	default:
	}
}

// lastError is why the last turn failed, nil when it did not.
func (m *maintenance) lastError() error {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.err
}

func (m *maintenance) loop() {
	defer close(m.done)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if m.due(0.5) {
			m.turn() // before jobs: many short ones must not keep it from being done
		}
		select {
		case <-m.quit:
			return
		case <-m.kick:
			m.turn()
		case <-timer.C:
			m.turn()
		case j := <-m.jobs:
			j.done <- j.run(j.ctx)
		}
		timer.Reset(min(m.next(), m.nextLook()))
	}
}

// next is how long until something is due.
func (m *maintenance) next() time.Duration {
	m.s.mu.RLock()
	since, keys := m.s.mu.since, m.s.mu.keys
	m.s.mu.RUnlock()
	switch err := m.lastError(); {
	case errors.Is(err, ErrFailed), keys == nil && (since.IsZero() || m.waits):
		return idle // until somebody wakes it, or for good
	case keys == nil:
		return max(0, m.s.db.opts.PurgeWithin/2-time.Since(since))
	case err != nil:
		return max(0, time.Until(m.retryAt))
	case m.pending || m.more:
		return 0
	case since.IsZero() && m.isDoomed():
		return removeAgain
	case since.IsZero():
		return idle
	}
	// A timer and time.Since run on the monotonic clock: a clock that is set
	// neither postpones nor skips the deadline.
	return max(0, m.s.db.opts.PurgeWithin/2-time.Since(since))
}

// due tells whether the oldest change has waited for a share of PurgeWithin.
func (m *maintenance) due(share float64) bool {
	m.s.mu.RLock()
	defer m.s.mu.RUnlock()
	since := m.s.mu.since
	return !since.IsZero() && time.Since(since) >= time.Duration(share*float64(m.s.db.opts.PurgeWithin))
}

// turn does what is due. Without a writer's keys there is nothing it can do:
// what is deleted stays hidden and waits.
func (m *maintenance) turn() {
	ring := m.s.keys()
	if ring == nil {
		m.lookKeyless()
		m.tellWaiting()
		return
	}
	if m.waits = false; time.Now().Before(m.retryAt) {
		return
	}
	err := m.work(ring)
	m.mu.Lock()
	m.err = err
	m.mu.Unlock()
	if err == nil {
		m.failures = 0
		return
	}
	m.retryAt = time.Now().Add(m.backoff())
	m.failures++
	m.s.mu.Lock()
	m.s.freedLocked() // who waits for memory has to be told
	m.s.mu.Unlock()
	m.tell("maintenance", err)
}

// tellWaiting says once that what is due waits for a writer's key.
func (m *maintenance) tellWaiting() {
	if m.waits || !m.due(0.5) {
		return
	}
	m.waits = true
	m.s.db.opts.Logger.Warn("an erasure waits for a writer's key", "index", m.s.cat.id)
	if f := m.s.db.opts.EventListener.Waiting; f != nil {
		f(m.s.cat.id.String())
	}
}

// work is a turn. Erasing comes first; what is left undone by an error does not
// keep the rest from being done.
func (m *maintenance) work(ring *keyring) error {
	s := m.s
	if err := s.db.meta.Err(); err != nil {
		s.log.Fail(err)
		return err
	}
	if err := m.catchUp(ring); err != nil {
		if m.pending { // what has been placed all the same does not wait
			err = errors.Join(err, m.erase(ring))
		}
		return err
	}
	s.rollHeavy()
	m.unhold()
	errs := []error{m.expireDue(ring)}
	if full := s.full(); m.due(0.5) || full || m.pending {
		errs = append(errs, m.purge(ring))
	}
	errs = append(errs, m.seal(ring))
	if m.pending && errors.Join(errs...) == nil {
		errs = append(errs, m.erase(ring)) // sealing applies first
	}
	errs = append(errs, m.destroyDoomed()) // what is dead in such a file is not erased yet
	err := errors.Join(errs...)
	if m.more = false; err == nil {
		m.tidy(ring)
	}
	return err
}

// tidy goes a step on with rewriting, and when nothing is to be rewritten any more
// with giving blocks back. A rewrite that fails keeps nobody waiting: its segment is
// left alone for a while.
func (m *maintenance) tidy(ring *keyring) {
	if m.s.db.gate.pinned.Load() != nil {
		return // what it makes would have to be copied as well; it goes on when the backup has ended
	}
	more, _, err := m.rewriteStep(context.Background(), ring, goal{})
	if m.more = more; err != nil && !m.stopping() {
		m.tell("rewrite", err)
	}
	if !m.more {
		m.more = m.giveBack()
	}
}

// tell reports a step that failed in the background.
func (m *maintenance) tell(step string, err error) {
	m.s.db.opts.Logger.Warn("maintenance", "step", step, "index", m.s.cat.id, "err", err)
	if f := m.s.db.opts.EventListener.Failed; f != nil {
		f(step, err)
	}
}

// purge applies and erases all that has been published. Moving the rows of a
// file that failed applies once more, so there may be another round to erase.
func (m *maintenance) purge(ring *keyring) error {
	applied := m.apply(ring) // what it has placed is erased, whatever it says
	for m.pending || m.s.unerased() {
		if err := m.erase(ring); err != nil {
			return errors.Join(applied, err)
		}
	}
	return applied
}

// unerased tells whether something has been applied and is not known to be off the
// disk.
func (s *state) unerased() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.mu.erased < s.mu.applied
}

// do runs a job in the maintenance goroutine and waits for it. A job that has
// begun when ctx ends goes on by itself.
func (m *maintenance) do(ctx context.Context, run func(ctx context.Context) error) error {
	j := &job{ctx: ctx, run: run, done: make(chan error, 1)}
	select {
	case m.jobs <- j:
	case <-ctx.Done():
		return ctx.Err()
	case <-m.done:
		if err := m.s.db.meta.Err(); err != nil {
			return err
		}
		return fmt.Errorf("index %q: %w", m.s.cat.name, ErrClosed)
	}
	select {
	case err := <-j.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// stop ends the goroutine and waits for it.
func (m *maintenance) stop() {
	if m == nil {
		return
	}
	if !m.stopping() { // by a change of epoch that has failed
		close(m.quit)
	}
	<-m.done
	if err := m.giveUp(); err != nil {
		m.tell("destroy", err) // it is noted as doomed
	}
}

// finish ends the goroutine and does the last of its work in the caller's: the
// deleted erased, every segment sealed.
func (m *maintenance) finish(context.Context) error {
	if m == nil {
		return nil
	}
	m.stop()
	s := m.s
	if err := s.db.meta.Err(); err != nil {
		if m.waiting() || m.pending || m.isDoomed() {
			return &PendingError{Indexes: []string{s.cat.name}, Err: err}
		}
		return err
	}
	ring := s.keys()
	if ring == nil {
		expired := m.lookAll()
		if err := errors.Join(m.destroyDoomed(), expired); err != nil || m.waiting() || m.pending {
			return &PendingError{Indexes: []string{s.cat.name}, Err: err}
		}
		return nil
	}
	s.roll()
	m.unhold()
	if err := errors.Join(m.catchUp(ring), m.seal(ring), m.purgeAll(ring), m.moveFailed(ring), m.destroyDoomed()); err != nil {
		return &PendingError{Indexes: []string{s.cat.name}, Err: err}
	}
	return nil
}

// waiting tells whether something deleted has not been applied.
func (m *maintenance) waiting() bool {
	m.s.mu.RLock()
	defer m.s.mu.RUnlock()
	return !m.s.mu.since.IsZero()
}

// isDoomed tells whether files wait to be destroyed.
func (m *maintenance) isDoomed() bool {
	m.s.mu.RLock()
	defer m.s.mu.RUnlock()
	return len(m.s.mu.doomed) > 0
}

// stopping tells whether the store is being closed: nothing long is begun.
func (m *maintenance) stopping() bool {
	select {
	case <-m.quit:
		return true
	default:
		return false
	}
}
