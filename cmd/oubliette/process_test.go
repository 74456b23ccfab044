package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// asCommand in the environment makes the test's binary the command, for what
// only a process of its own can show.
const asCommand = "OUBLIETTE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	redraw /= 5 // tests need not wait as long as a person
	os.Exit(m.Run())
}

// process is the command in a process of its own.
type process struct {
	*exec.Cmd
	errs screen
}

func (c *cli) process(stdin io.Reader, stdout io.Writer, args ...string) *process {
	c.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], append(args, "--key-file", c.path("key"))...)}
	p.Env = append(os.Environ(), asCommand+"=1", envStore+"="+c.env[envStore])
	p.Stdin, p.Stdout, p.Stderr = stdin, stdout, &p.errs
	if err := p.Start(); err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = p.Process.Kill() })
	return p
}

// end waits for the process; one that a signal has ended has the code -1.
func (p *process) end() result {
	_ = p.Wait() // the code says it
	return result{code: p.ProcessState.ExitCode(), err: p.errs.String()}
}

// pipe is one whose ends are files: what a process is given.
func (c *cli) pipe() (r, w *os.File) {
	c.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

// broken is a pipe that nobody reads.
func (c *cli) broken() *os.File {
	r, w := c.pipe()
	r.Close()
	return w
}

func TestAReaderWhoLeavesDoesNotKeepTheErasureFromBeingDone(t *testing.T) {
	c := initialised(t)
	c.keyedOK(threeItems, "upsert")
	c.fails(c.process(nil, c.broken(), "delete", "a", "b").end(), exitFailure, "the receipt is not printed", "broken pipe")
	if stat := decode[statJSON](t, c.keyedOK("", "stat", "--json")); *stat.Index.Items != 1 || stat.Index.PendingBytes+uint64(stat.Index.Tombstones) != 0 {
		t.Errorf("stat: %+v", stat.Index)
	}
	if r := decode[reportJSON](t, c.keyedOK("", "check", "--json")); r.DeadRows != 2 || r.PendingBytes != 0 {
		t.Errorf("check: %+v", r)
	}
	c.fails(c.process(strings.NewReader(threeItems), c.broken(), "upsert").end(), exitFailure, "broken pipe", "committed before it: 3 items")
	c.keyedOK("", "check")
}

func TestACommandThatOnlyReadsEndsQuietlyWithItsReader(t *testing.T) {
	c := initialised(t)
	c.keyedOK(manyItems(20_000), "upsert")
	for _, args := range [][]string{{"ls"}, {"ls", "--json", "--long"}, {"get", "item-000001"}, {"check"}, {"stat"}} {
		if r := c.process(nil, c.broken(), args...).end(); r.code != exitFailure || r.err != "" {
			t.Errorf("%s: exit code %d\n%s", args, r.code, r.err)
		}
	}
	r, w := c.pipe() // who reads one line and leaves
	p := c.process(nil, w, "ls")
	w.Close()
	if _, err := io.ReadFull(r, make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if r := p.end(); r.code != exitFailure || r.err != "" {
		t.Errorf("exit code %d\n%s", r.code, r.err)
	}
	c.keyedOK("", "check")
}

func TestOneInterruptEndsTheWaitingForInput(t *testing.T) {
	c := initialised(t)
	if err := os.Chmod(c.path("key"), 0o644); err != nil { // the warning shows how far the process has come
		t.Fatal(err)
	}
	for _, args := range [][]string{{"upsert", "--batch", "1"}, {"delete", "-"}, {"get", "-"}, {"delete", "--file", "/dev/stdin"}} {
		r, w := c.pipe()
		p := c.process(r, io.Discard, args...)
		if args[0] == "upsert" { // the store is open when a first line has come
			if _, err := io.WriteString(w, `{"id": "x"}`+"\n"); err != nil {
				t.Fatal(err)
			}
			c.eventually("an item is in", func() bool {
				files, err := filepath.Glob(filepath.Join(c.env[envStore], "segments", "*", "*.seg"))
				return err != nil || len(files) > 0
			})
		} else {
			c.eventually("the key is read", func() bool { return strings.Contains(p.errs.String(), "open to others") })
			c.keyedOK("", "ls") // the store is nobody's
		}
		if err := p.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		c.fails(p.end(), exitFailure, "interrupted")
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: the interrupt took %v", args, took)
		}
	}
	if got := c.ids(); len(got) > 1 { // the file may have been there before the item was
		t.Errorf("left: %v", got)
	}
	c.keyedOK("", "check")
}

// eventually waits for something that has to come.
func (c *cli) eventually(what string, is func() bool) {
	c.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.Fatalf("not in time: %s", what)
		}
	}
}
