package crash

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// session is a child as its parent sees it.
type session struct {
	cmd     *exec.Cmd
	in      io.Closer
	orders  *gob.Encoder
	stderr  string        // the file that takes what the child prints
	replies chan message  // to orders
	ended   chan struct{} // closed when the child is dead and all that it has said is read
	killed  bool          // by the parent

	mu     sync.Mutex
	phases []openPhase // under way, in the order in which they began
	spans  *spans
	hear   func(message) // takes what is no reply, one after the other
	begun  chan string   // phases, as they begin
	found  []message     // items of the scan or get under way: listen's until its reply
}

type openPhase struct {
	name string
	at   time.Time
}

// start makes a child. hear is called by one goroutine; it has returned for all
// that the child has said once ended is closed.
func start(stderr string, spans *spans, hear func(message)) (*session, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(stderr, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() // the child has its own
	s := &session{cmd: exec.Command(exe), stderr: stderr, spans: spans, hear: hear,
		replies: make(chan message, 1), ended: make(chan struct{}), begun: make(chan string, 1024)}
	s.cmd.Env = append(os.Environ(), childVar+"=1", "GOTRACEBACK=all")
	s.cmd.Stderr = log
	in, err := s.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.in, s.orders = in, gob.NewEncoder(in)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start a child: %w", err)
	}
	go s.listen(out)
	return s, nil
}

// listen reads until the pipe has no writer any more. A message that the kill
// has cut was never sent: what it announces had not begun.
func (s *session) listen(out io.Reader) {
	defer close(s.ended)
	d := gob.NewDecoder(out)
	for {
		var m message
		if d.Decode(&m) != nil {
			break
		}
		switch m.What {
		case replied:
			s.replies <- m
		case found:
			s.found = append(s.found, m)
		case phased, unphase:
			s.phase(&m)
		default:
			s.hear(m)
		}
	}
	io.Copy(io.Discard, out) // so that a child that goes on does not wait for the pipe
	s.cmd.Wait()             // its state is looked at by whoever asks
}

func (s *session) phase(m *message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.What == phased {
		s.phases = append(s.phases, openPhase{m.Phase, time.Now()})
		select {
		case s.begun <- m.Phase:
		default: // nobody waits
		}
		return
	}
	for i, p := range s.phases {
		if p.name == m.Phase {
			s.spans.took(p.name, time.Since(p.at))
			s.phases = append(s.phases[:i:i], s.phases[i+1:]...)
			return
		}
	}
}

// under is the phase under way that a kill has hit: the one that was meant, or
// the last to begin.
func (s *session) under(aim string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := ""
	for _, p := range s.phases {
		if p.name == aim {
			return aim
		}
		last = p.name
	}
	return last
}

// misstep is what an order has come to that was not carried out.
type misstep struct {
	verdict Verdict
	text    string
}

func (m *misstep) Error() string { return string(m.verdict) + ": " + m.text }

func wrong(v Verdict, format string, args ...any) *misstep {
	return &misstep{v, fmt.Sprintf(format, args...)}
}

// send gives an order without waiting for the reply.
func (s *session) send(o *order) error {
	if err := s.orders.Encode(o); err != nil {
		<-s.ended // nothing else breaks the pipe
		return s.died(o.Do)
	}
	return nil
}

// do gives an order and waits for the reply. What the store has answered is an
// error of verdict Failed.
func (s *session) do(ctx context.Context, o *order, limit time.Duration) (message, error) {
	if err := s.send(o); err != nil {
		return message{}, err
	}
	return s.wait(ctx, o.Do, limit)
}

func (s *session) wait(ctx context.Context, do task, limit time.Duration) (message, error) {
	t := time.NewTimer(limit)
	defer t.Stop()
	select {
	case m := <-s.replies:
		if m.Text != "" {
			return m, wrong(Failed, "%s: %s", do, m.Text)
		}
		return m, nil
	case <-s.ended:
		if ctx.Err() != nil {
			return message{}, ctx.Err()
		}
		return message{}, s.died(do)
	case <-ctx.Done():
		return message{}, ctx.Err()
	case <-t.C:
		s.dump()
		return message{}, wrong(Hung, "%s: not done after %v; goroutines are in %s", do, limit, s.stderr)
	}
}

// items gives the order to read and answers what has been found.
func (s *session) items(ctx context.Context, o *order, limit time.Duration) ([]message, error) {
	if _, err := s.do(ctx, o, limit); err != nil {
		return nil, err
	}
	out := s.found // listen is behind the reply, and waits for the next order's
	s.found = nil
	return out, nil
}

// died says how a child has ended that nobody has killed.
func (s *session) died(do task) error {
	return wrong(Died, "%s: the process has ended by itself, %v: %s", do, s.cmd.ProcessState, lastWords(s.stderr))
}

// dump lets a child that hangs print its goroutines, where there is a signal
// for it, and ends it.
func (s *session) dump() {
	if s.cmd.Process.Signal(syscall.SIGQUIT) == nil {
		select {
		case <-s.ended:
		case <-time.After(5 * time.Second):
		}
	}
	s.kill()
}

// kill ends the child at once and returns when all that it has said is read. An
// error is that of a child that had ended by itself before.
func (s *session) kill() error {
	select {
	case <-s.ended:
		if !s.killed {
			return s.died("kill")
		}
		return nil
	default:
	}
	s.killed = true
	s.cmd.Process.Kill() // of one that ends just now it answers an error that says nothing
	<-s.ended
	s.in.Close() // its reader is dead
	if code := s.cmd.ProcessState.ExitCode(); code > 0 && !(code == 1 && runtime.GOOS == "windows") {
		return s.died("kill")
	}
	return nil
}

// finish lets a child go that has nothing more to do.
func (s *session) finish() error {
	if err := s.in.Close(); err != nil {
		return err
	}
	select {
	case <-s.ended:
		if !s.cmd.ProcessState.Success() {
			return s.died("exit")
		}
		return nil
	case <-time.After(10 * time.Second):
		return errors.Join(wrong(Hung, "the process does not exit"), s.kill())
	}
}
