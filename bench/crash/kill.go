package crash

import (
	"context"
	"time"
)

// killOpening kills a child while it opens the store. late: it was faster, and
// lives.
func (f *folder) killOpening(ctx context.Context, s *session) (late bool, err error) {
	if err := s.send(&order{Do: doOpen, Setup: f.setup()}); err != nil {
		return false, f.blame(err)
	}
	if !s.waitFor(ctx, Opening, f.Limit) {
		_, err := s.wait(ctx, doOpen, time.Second) // which says why
		return false, f.blame(err)
	}
	t := time.NewTimer(f.spans.within(Opening, f.rnd))
	defer t.Stop()
	select {
	case <-t.C:
	case m := <-s.replies:
		if m.Text != "" {
			return false, f.blame(wrong(Failed, "%s: %s", doOpen, m.Text))
		}
		return true, nil
	case <-s.ended:
	}
	return false, f.kill(ctx, s, Opening)
}

// waitFor waits until a phase has begun. It answers false when the child has
// died, or the limit has passed.
func (s *session) waitFor(ctx context.Context, phase string, limit time.Duration) bool {
	t := time.NewTimer(limit)
	defer t.Stop()
	for {
		select {
		case p := <-s.begun:
			if p == phase {
				return true
			}
		case <-s.ended:
			return false
		case <-ctx.Done():
			return false
		case <-t.C:
			return false
		}
	}
}

// killWorking lets a child work and kills it, if possible in the phase that is
// meant.
func (f *folder) killWorking(ctx context.Context, s *session, aim string) error {
	if _, err := s.do(ctx, f.workOrder(aim), f.Limit); err != nil {
		return f.blame(err)
	}
	f.rest(ctx, s, time.Duration(f.rnd.Int64N(int64(f.Pace))))
	s.drain()
	if aim == Closing {
		do := doClose
		if f.kind.Promises.CloseWaits && f.rnd.IntN(3) > 0 {
			do = doCloseNow
		}
		if err := s.send(&order{Do: do}); err != nil {
			return f.blame(err)
		}
	}
	if aim != Writing && s.waitFor(ctx, aim, min(f.Limit, aimWithin)) {
		f.rest(ctx, s, f.spans.within(aim, f.rnd))
	}
	return f.kill(ctx, s, aim)
}

// workOrder tells a child to work. Each has a number of its own, which makes
// versions of items that no other has.
func (f *folder) workOrder(prefer string) *order {
	f.sessions++
	return &order{Do: doWork, Work: &work{Seed: f.Seed, Session: f.sessions, Writers: f.Writers, IDs: f.IDs,
		Have: f.oracle.have(), Prefer: prefer}}
}

// aimWithin is how long a phase may let itself be waited for. After that the
// kill comes anyway.
const aimWithin = 10 * time.Second

// drain forgets the phases that have begun before: a kill is to come soon after
// the beginning of one.
func (s *session) drain() {
	for {
		select {
		case <-s.begun:
		default:
			return
		}
	}
}

// rest waits, unless the child dies or the run is ended.
func (f *folder) rest(ctx context.Context, s *session, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.ended:
	case <-ctx.Done():
	}
}

// kill kills a child and counts the kill where it has hit.
func (f *folder) kill(ctx context.Context, s *session, aim string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := s.kill()
	f.phase = s.under(aim)
	if f.phase == "" {
		f.phase = f.oracle.underWayOr(Idle)
	}
	f.told()
	if err != nil {
		return f.blame(err)
	}
	f.report.Kills++
	f.report.Phases[f.phase]++
	select {
	case m := <-s.replies: // to an order that the kill was to hit
		if m.Text != "" {
			f.find(wrong(Failed, "%s: %s", f.phase, m.Text), true)
		}
	default:
	}
	return nil
}

// told takes over what the child has seen itself.
func (f *folder) told() {
	for _, m := range f.oracle.takeTold() {
		f.find(wrong(m.Verdict, "%s", m.Text), true)
	}
}
