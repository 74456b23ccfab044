package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"oubliette/engine"
)

// maxKeyFile is as much of a key file as is read: 64 digits and a line end.
const maxKeyFile = 64 + 2

// key reads the caller's key, from the file that was named or from the
// environment. No error of it quotes what was read.
func (a *app) key(ctx context.Context) (engine.Key, error) {
	if a.keyFile != "" {
		return within(ctx, func() (engine.Key, error) { return a.readKeyFile(a.keyFile) }) // it may be a pipe
	}
	digits := a.getenv(envKey)
	if digits == "" {
		return engine.Key{}, fmt.Errorf("no %w: give --key-file FILE or set $%s", errKey, envKey)
	}
	key, err := engine.ParseKey(digits)
	if err != nil {
		return engine.Key{}, fmt.Errorf("%w in $%s: %w", errKey, envKey, err)
	}
	return key, nil
}

func (a *app) readKeyFile(path string) (engine.Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return engine.Key{}, fmt.Errorf("%w file: %w", errKey, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return engine.Key{}, fmt.Errorf("%w file: %w", errKey, err)
	}
	if mode := info.Mode(); mode.IsRegular() && mode.Perm()&0o077 != 0 {
		a.warn("key file %s is open to others (mode %04o); chmod 600 it", path, mode.Perm())
	}
	b := make([]byte, maxKeyFile+1)
	defer clear(b)
	n, err := io.ReadFull(f, b)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return engine.Key{}, fmt.Errorf("%w file: %w", errKey, err)
	}
	if n > maxKeyFile {
		return engine.Key{}, fmt.Errorf("%w file %s is longer than a key of 64 hexadecimal digits", errKey, path)
	}
	digits := bytes.TrimSuffix(bytes.TrimSuffix(b[:n], []byte("\n")), []byte("\r"))
	key, err := engine.ParseKey(string(digits))
	if err != nil {
		return engine.Key{}, fmt.Errorf("%w file %s: %w", errKey, path, err)
	}
	return key, nil
}

// writeKeyFile writes a key to a new file that only its owner may read, and
// makes it durable. A file that is there is never overwritten; one that could
// not be written whole is taken away again.
func writeKeyFile(path string, key engine.Key) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("key file %s is there already: a key is never overwritten", path)
	}
	if err != nil {
		return fmt.Errorf("key file: %w", err)
	}
	b := fmt.Appendf(nil, "%x\n", key.Reveal())
	defer clear(b)
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = syncPath(filepath.Dir(path))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("key file %s: %w", path, err), os.Remove(path))
	}
	return nil
}

// syncPath makes a file's bytes durable, or a folder's names.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
