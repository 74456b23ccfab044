package main

import (
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows how far long work has come. A nil one shows nothing.
type progress struct {
	bar  *progressbar.ProgressBar
	quit chan struct{}
	gone chan struct{} // nobody draws any more
	once sync.Once
}

// progress begins a bar on standard error; total -1 is an unknown one. Where no
// person sits at it, and with --json, there is none.
func (a *app) progress(what string, total int64, bytes bool) *progress {
	if a.json || !isTerminal(a.stderr) {
		return nil
	}
	return newProgress(a.stderr, what, total, progressbar.OptionShowBytes(bytes), progressbar.OptionShowCount())
}

// spinner is for work of which nobody knows how far it has come.
func (a *app) spinner(what string) *progress {
	if a.json || !isTerminal(a.stderr) {
		return nil
	}
	return newProgress(a.stderr, what, -1)
}

// outputProgress is progress for a command with much output. Where that goes to
// the terminal it shows by itself how far it is, and a pipe may lead to a pager
// on the same terminal: the bar would be drawn across both.
func (a *app) outputProgress(what string, total int64) *progress {
	f, ok := fileOf(a.stdout)
	if !ok || isTerminal(f) {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		return nil
	}
	return a.progress(what, total, false)
}

// redraw is how long a picture of the bar stands.
var redraw = 100 * time.Millisecond

// newProgress draws in a goroutine of its own. The package has one, too, for
// totals that are unknown: it goes on after the bar has been taken away, so it
// is switched off.
func newProgress(w io.Writer, what string, total int64, more ...progressbar.Option) *progress {
	p := &progress{quit: make(chan struct{}), gone: make(chan struct{})}
	p.bar = progressbar.NewOptions64(total, append(more,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionSetWidth(24),
		progressbar.OptionThrottle(redraw/2),
		progressbar.OptionSetSpinnerChangeInterval(0),
		progressbar.OptionClearOnFinish(),
	)...)
	go p.draw()
	return p
}

// draw draws until done. What goes wrong with it does not matter to the work.
func (p *progress) draw() {
	defer close(p.gone)
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
			_ = p.bar.RenderBlank()
		}
	}
}

// add moves the bar on.
func (p *progress) add(n int64) {
	if p != nil {
		_ = p.bar.Add64(n)
	}
}

// done takes the bar away; nothing is drawn behind it. It may be called again.
func (p *progress) done() {
	if p == nil {
		return
	}
	p.once.Do(func() {
		close(p.quit)
		<-p.gone
		_ = p.bar.Clear()
		_ = p.bar.Exit()
	})
}
