package main

import (
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

// send starts a process for an errand and kills it when it has answered, with the
// store open: what it leaves is what a crash leaves whose page cache survives.
func (e *errand) send(ctx context.Context) (f finding, err error) {
	exe, err := os.Executable()
	if err != nil {
		return f, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said tail
	cmd := exec.CommandContext(ctx, exe) // which kills it when ctx ends
	cmd.Env = append(os.Environ(), probeVar+"=1")
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return f, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return f, err
	}
	if err := cmd.Start(); err != nil {
		return f, fmt.Errorf("start a process: %w", err)
	}
	err = talk(e, in, out, &f)
	interrupted := ctx.Err()
	cancel()
	_ = cmd.Wait() // it was killed, which is no news
	switch {
	case interrupted != nil:
		return f, interrupted
	case err != nil:
		return f, fmt.Errorf("a process that opens %s has answered nothing: %w\n%s", e.Kind, err, said.b)
	case f.Err != "":
		return f, errors.New(f.Err)
	}
	return f, nil
}

// talk gives a process its errand and hears its answer.
func talk(e *errand, in io.Writer, out io.Reader, f *finding) error {
	if err := gob.NewEncoder(in).Encode(e); err != nil {
		return err
	}
	return gob.NewDecoder(out).Decode(f)
}

// tail keeps the end of what is written to it.
type tail struct{ b []byte }

const tailSize = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	t.b = t.b[max(0, len(t.b)-tailSize):]
	return len(p), nil
}
