package peers

import (
	"bytes"
	"crypto/aes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/fb"
	"github.com/dgraph-io/badger/v4/y"

	"oubliette/bench/store"
)

// revealBadger writes the files of a store in which values stand, decrypted, into
// another folder. While files come and go it begins again: what a flush has moved from
// one that was gone to one that was not there yet would be overlooked.
func revealBadger(s store.Setup, to string) error {
	key, err := badgerDataKey(s)
	if err != nil {
		return err
	}
	for end := time.Now().Add(revealWithin); ; {
		before, err := badgerFiles(s.Dir)
		if err != nil {
			return err
		}
		for _, path := range before {
			if err := revealFile(path, filepath.Join(to, filepath.Base(path)), key); err != nil {
				return err
			}
		}
		after, err := badgerFiles(s.Dir)
		if err != nil || slices.Equal(before, after) {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("badger: files in %s come and go for %v", s.Dir, revealWithin)
		}
		for _, path := range before {
			if err := os.Remove(filepath.Join(to, filepath.Base(path))); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
}

// revealWithin is how long Badger's files are waited for to be whole, and to stay.
const revealWithin = 10 * time.Second

// badgerReveals are how files are decrypted in which values stand, by how their names
// end.
var badgerReveals = map[string]func(b, key []byte) ([]byte, error){".mem": revealLog, ".vlog": revealLog, ".sst": revealTable}

// badgerFiles are the paths of those, in order.
func badgerFiles(dir string) (paths []string, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		if badgerReveals[filepath.Ext(f.Name())] != nil {
			paths = append(paths, filepath.Join(dir, f.Name()))
		}
	}
	return paths, err
}

// badgerDataKey is the key under which the files of a store are encrypted. Badger
// takes another one after ten days; no store here lives for so long.
func badgerDataKey(s store.Setup) ([]byte, error) {
	r, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: s.Dir, ReadOnly: true, EncryptionKey: s.Key[:]})
	if err != nil {
		return nil, fmt.Errorf("badger: key registry in %s: %w", s.Dir, err)
	}
	k, err := r.DataKey(1)
	if err != nil {
		return nil, fmt.Errorf("badger: key registry in %s: %w", s.Dir, err)
	}
	return k.Data, nil
}

// revealFile waits for a table that is just being written, and leaves out a file that
// is gone.
func revealFile(from, to string, key []byte) error {
	for end := time.Now().Add(revealWithin); ; time.Sleep(10 * time.Millisecond) {
		b, err := readWritten(from)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		out, err := badgerReveals[filepath.Ext(from)](b, key)
		if err == nil {
			return os.WriteFile(to, out, 0o600)
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s: %w", from, err)
		}
	}
}

// readWritten reads a file up to the first MiB of zeros: Badger makes its logs 128 MiB
// long at once. In what it has encrypted there is no such run.
func readWritten(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []byte
	for chunk := make([]byte, 1<<20); ; {
		n, err := io.ReadFull(f, chunk)
		all = append(all, chunk[:n]...)
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return all, nil
		case err != nil:
			return nil, err
		case len(bytes.TrimLeft(chunk, "\x00")) == 0:
			return all, nil
		}
	}
}

// badgerLogHead is the head of a log: eight bytes for the key's number, twelve from
// which the nonce of each entry begins.
const badgerLogHead = 20

// revealLog decrypts the entries of a write-ahead or a value log. Each is a head in
// the clear, key and value, a checksum; behind the last are zeros.
func revealLog(b, key []byte) ([]byte, error) {
	if len(b) < badgerLogHead {
		return b, nil // it has only been made
	}
	if binary.BigEndian.Uint64(b) == 0 {
		return nil, errors.New("a log in the clear")
	}
	at := badgerLogHead
	for {
		head, body := logEntry(b[at:])
		if body == 0 {
			break
		}
		nonce := binary.BigEndian.AppendUint32(bytes.Clone(b[8:badgerLogHead]), uint32(at))
		sealed := b[at+head : at+head+body]
		if err := y.XORBlock(sealed, sealed, key, nonce); err != nil {
			return nil, err
		}
		at += head + body + 4
	}
	return b[:at+len(bytes.TrimRight(b[at:], "\x00"))], nil
}

// logEntry is how long the head of the entry at the beginning of b is, and its key
// and value; 0 when there is none.
func logEntry(b []byte) (head, body int) {
	var sizes [3]uint64 // of key and value; the third is a time of expiry
	head = 2
	for i := range sizes {
		if head >= len(b) {
			return 0, 0
		}
		n, used := binary.Uvarint(b[head:])
		if used <= 0 {
			return 0, 0
		}
		sizes[i], head = n, head+used
	}
	room := uint64(len(b) - head)
	if sizes[0] == 0 || sizes[0] > room || sizes[1] > room-sizes[0] || room-sizes[0]-sizes[1] < 4 {
		return 0, 0
	}
	return head, int(sizes[0] + sizes[1])
}

var errTableCut = errors.New("badger: a table that is not whole")

// revealTable decrypts the blocks of a table. Behind them are the index, its length,
// a checksum and the checksum's length. Blocks and index end with their nonces.
func revealTable(b, key []byte) ([]byte, error) {
	rest, sum, err := tableTail(b)
	if err != nil || len(sum) == 0 {
		return nil, errTableCut
	}
	_, sealed, err := tableTail(rest)
	if err != nil || len(sealed) <= aes.BlockSize {
		return nil, errTableCut
	}
	if err := revealBlock(sealed, key); err != nil {
		return nil, err
	}
	index := fb.GetRootAsTableIndex(sealed[:len(sealed)-aes.BlockSize], 0)
	var block fb.BlockOffset
	for i := range index.OffsetsLength() {
		if !index.Offsets(&block, i) {
			return nil, errTableCut
		}
		from, to := uint64(block.Offset()), uint64(block.Offset())+uint64(block.Len())
		if to > uint64(len(b)) || to-from <= aes.BlockSize {
			return nil, errTableCut
		}
		if err := revealBlock(b[from:to], key); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// tableTail cuts the last field off b: behind it stands its length.
func tableTail(b []byte) (rest, field []byte, err error) {
	if len(b) < 4 {
		return nil, nil, errTableCut
	}
	b, n := b[:len(b)-4], binary.BigEndian.Uint32(b[len(b)-4:])
	if uint64(n) > uint64(len(b)) {
		return nil, nil, errTableCut
	}
	return b[:len(b)-int(n)], b[len(b)-int(n):], nil
}

// revealBlock decrypts a block in place, but for the nonce at its end.
func revealBlock(b, key []byte) error {
	plain := b[:len(b)-aes.BlockSize]
	return y.XORBlock(plain, plain, key, b[len(b)-aes.BlockSize:])
}
