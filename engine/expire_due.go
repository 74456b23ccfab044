package engine

import (
	"errors"
	"time"
)

// lookApart is how long maintenance waits between two looks at least, so that items
// that expire one after the other do not each cost a record and its sync: a quarter
// of PurgeWithin, a second at most.
func (m *maintenance) lookApart() time.Duration {
	return min(m.s.db.opts.PurgeWithin/4, time.Second)
}

const (
	minLookAgain = 100 * time.Millisecond
	maxLookAgain = time.Minute
)

// lookAgain is how long maintenance sleeps at most while anything in the index
// expires. Timers run on the monotonic clock and items expire by the wall clock: one
// that jumps ahead, or wakes with the machine, has to be noticed. A look at it costs
// next to nothing.
func (m *maintenance) lookAgain() time.Duration {
	return min(max(m.s.db.opts.PurgeWithin/4, minLookAgain), maxLookAgain)
}

// nextLook is how long until something may have expired.
func (m *maintenance) nextLook() time.Duration {
	m.s.mu.RLock()
	at, waits := m.s.mu.expires, m.s.mu.keys == nil && !m.s.mu.since.IsZero()
	m.s.mu.RUnlock()
	if at == 0 || waits || errors.Is(m.lastError(), ErrFailed) {
		return idle
	}
	again := m.lookAgain()
	left := min(int64(at)-m.s.clock(), again.Milliseconds()+1)
	wait := min(time.Duration(left)*time.Millisecond, again)
	return max(0, wait, time.Until(m.lookAt), time.Until(m.retryAt))
}

// expiryDue tells whether to look for what has expired. Without a writer's keys one
// item that waits says it all.
func (m *maintenance) expiryDue() bool {
	if time.Now().Before(m.lookAt) {
		return false
	}
	now := m.s.clock()
	m.s.mu.RLock()
	defer m.s.mu.RUnlock()
	return isDue(m.s.mu.expires, now) && (m.s.mu.keys != nil || m.s.mu.since.IsZero())
}

// expireDue looks for what has expired, if it is time.
func (m *maintenance) expireDue(ring *keyring) error {
	if !m.expiryDue() {
		return nil
	}
	more, err := m.expire(ring)
	if !more {
		m.lookAt = time.Now().Add(m.lookApart())
	}
	return err
}

// lookKeyless looks whether something has expired that will have to wait for a
// writer's key.
func (m *maintenance) lookKeyless() {
	if !m.expiryDue() {
		return
	}
	if _, err := m.expire(nil); err != nil {
		m.lookAt = time.Now().Add(m.lookAgain())
		m.tell("expire", err)
	}
}

// lookAll is lookKeyless for the last time.
func (m *maintenance) lookAll() error {
	for {
		if more, err := m.expire(nil); err != nil || !more || m.waiting() {
			return err
		}
	}
}

// purgeAll logs all that has expired, and purges. Where so much has that memory fills
// with it, or that a delete would wait for its end, it purges in between.
func (m *maintenance) purgeAll(ring *keyring) error {
	var errs []error
	for more := true; more; {
		var err error
		more, err = m.expire(ring)
		errs = append(errs, err)
		if more && (m.s.full() || m.deleteDue()) {
			errs = append(errs, m.purge(ring))
		}
	}
	return errors.Join(append(errs, m.purge(ring))...)
}

// deleteDue tells whether a delete has waited for half of PurgeWithin.
func (m *maintenance) deleteDue() bool {
	m.s.mu.RLock()
	defer m.s.mu.RUnlock()
	_, _, oldest := m.s.mu.ages.pending(time.Now(), m.s.db.opts.PurgeWithin)
	return oldest >= m.s.db.opts.PurgeWithin/2
}
