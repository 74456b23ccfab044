package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"golang.org/x/sys/unix"
)

// terminal is one that a test sits at.
type terminal struct {
	*os.File // what the command has
	master   *os.File
	screen   screen
}

func newTerminal(t testing.TB) *terminal {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	term := &terminal{File: slave, master: master}
	go func() { _, _ = io.Copy(&term.screen, master) }() // until the master is closed
	t.Cleanup(func() { slave.Close(); master.Close() })
	return term
}

// drawn is all that has come until now.
func (term *terminal) drawn(t testing.TB) string {
	t.Helper()
	const mark = "\x00\x00"
	if _, err := term.WriteString(mark); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if s, ok := strings.CutSuffix(term.screen.String(), mark); ok {
			return strings.ReplaceAll(s, mark, "")
		}
	}
	t.Fatal("the terminal does not answer")
	return ""
}

// slowDisk makes work on segments last.
func (c *cli) slowDisk() {
	c.fs = errorfs.Wrap(vfs.Default, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasSuffix(op.Path, ".seg") {
			time.Sleep(redraw / 4)
		}
		return nil
	}))
}

func TestLongWorkIsShownOnATerminalAndLeavesNothing(t *testing.T) {
	c := initialised(t)
	c.keyedOK(manyItems(12), "upsert")
	all := c.keyedOK("", "ls")
	out, err := os.Create(c.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	c.slowDisk()
	for _, step := range []struct {
		args []string
		says []string
	}{
		{[]string{"upsert"}, []string{"upsert", "closing"}},
		{[]string{"ls"}, []string{"ls"}},
		{append([]string{"get"}, strings.Fields(all)...), []string{"get"}},
		{[]string{"check"}, []string{"check"}},
		{[]string{"delete", "item-000001"}, []string{"erase"}},
		{[]string{"compact"}, []string{"compact"}},
		{[]string{"purge"}, []string{"opening"}},
	} {
		for _, json := range []bool{false, true} {
			args := append(slices.Clone(step.args), "--key-file", c.path("key"))
			if json {
				args = append(args, "--json")
			}
			term := newTerminal(t)
			items, w := io.Pipe()
			go func() {
				for i := range 5 {
					_, _ = fmt.Fprintf(w, "{\"id\": \"%d\"}\n", i)
					time.Sleep(redraw)
				}
				w.Close()
			}()
			if code := run(t.Context(), args, c.environment(items, out, term.File)); code != exitOK {
				t.Errorf("%s: exit code %d\n%q", args, code, term.drawn(t))
			}
			items.Close()
			time.Sleep(2 * redraw)
			drawn := term.drawn(t)
			if json && drawn != "" || left(drawn) != "" {
				t.Errorf("%s: drawn is %q, left is %q", args, drawn, left(drawn))
			}
			for _, says := range step.says {
				if !json && !strings.Contains(drawn, says) {
					t.Errorf("%s: %q is not in %q", args, says, drawn)
				}
			}
		}
	}
}

func TestOutputThatShowsOnTheTerminalHasNoBar(t *testing.T) {
	c := initialised(t)
	term := newTerminal(t)
	_, w := c.pipe()
	for name, stdout := range map[string]*os.File{"terminal": term.File, "pipe": w} {
		a := &app{environment: c.environment(nil, output{stdout}, term.File)}
		if p := a.outputProgress("ls", -1); p != nil {
			p.done()
			t.Errorf("a bar across a %s", name)
		}
	}
	a := &app{environment: c.environment(nil, io.Discard, io.Discard)}
	if p := a.spinner("x"); p != nil {
		p.done()
		t.Error("a bar without a terminal")
	}
}

func TestWhoSitsAtATerminalIsToldWhatIsWaitedFor(t *testing.T) {
	c := initialised(t)
	for _, args := range [][]string{{"upsert"}, {"delete", "-"}, {"get", "-", "--json"}} {
		term := newTerminal(t)
		if _, err := term.master.WriteString("\x04"); err != nil { // Ctrl-D: no line
			t.Fatal(err)
		}
		var errs strings.Builder
		code := run(t.Context(), append(args, "--key-file", c.path("key")), c.environment(term.File, io.Discard, &errs))
		if code != exitOK || !strings.Contains(errs.String(), "Ctrl-D") {
			t.Errorf("%s: exit code %d, %s", args, code, errs.String())
		}
		if args[len(args)-1] == "--json" {
			lines(t, "standard error", errs.String())
		}
	}
	if r := c.keyed("", "upsert"); r.err != "" {
		t.Errorf("no terminal: %s", r.err)
	}
}
