package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

func main() {
	ignoreBrokenPipes()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	code := run(ctx, os.Args[1:], environment{os.Stdin, os.Stdout, os.Stderr, os.Getenv, vfs.Default})
	stop()
	os.Exit(code)
}

// environment is what a command has of the outside.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	fs             vfs.FS // of stores
}

// run runs one command line and answers its exit code.
func run(ctx context.Context, args []string, env environment) int {
	env.stdout = output{env.stdout}
	a := &app{environment: env, keyLike: keyLike(args)}
	root := a.root()
	a.json = wantsJSON(args) // a line that does not parse is an error for machines, too
	root.SetArgs(args)
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started && !errors.Is(err, errUsage) {
		err = fmt.Errorf("%w: %w", errUsage, err)
	}
	code := exitCode(err)
	a.report(err, code)
	return code
}
