package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process
	code := run(ctx, os.Args[1:], environment{os.Stdin, os.Stdout, os.Stderr, os.Getenv})
	stop()
	os.Exit(code)
}

// environment is what a command has of the outside.
type environment struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
}

// run runs one command line and answers its exit code.
func run(ctx context.Context, args []string, env environment) int {
	a := &app{environment: env}
	root := a.root()
	root.SetArgs(args)
	root.SetIn(env.stdin)
	root.SetOut(env.stdout)
	root.SetErr(env.stderr)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.started {
		err = fmt.Errorf("%w: %w", errUsage, err)
	}
	code := exitCode(err)
	a.report(err, code)
	return code
}

// report writes an error where a person or a machine expects it.
func (a *app) report(err error, code int) {
	if err == nil {
		return
	}
	text := err.Error()
	if errors.Is(err, context.Canceled) {
		text = "interrupted: " + text
	}
	if !a.json {
		fmt.Fprintf(a.stderr, "oubliette: %s\n", strings.ReplaceAll(text, "\n", "\noubliette: "))
		return
	}
	b, jerr := json.Marshal(struct {
		Error    string `json:"error"`
		ExitCode int    `json:"exit_code"`
	}{text, code})
	if jerr != nil {
		panic(jerr) // a string and a number marshal
	}
	fmt.Fprintf(a.stderr, "%s\n", b)
}
