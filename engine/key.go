package engine

import (
	"fmt"

	"oubliette/crypto"
)

// Key is an index key (KEK) or a user's key: 32 bytes that never print.
type Key = crypto.Secret

// UserID names a user of an index. The zero value is root.
type UserID = crypto.UserID

// Permission is what a user may do.
type Permission = crypto.Permission

// The permissions, or-ed.
const (
	PermRead  = crypto.PermRead
	PermWrite = crypto.PermWrite
)

// NewKey draws a random key. Keep it: the store does not, and what it seals
// opens with nothing else.
func NewKey() Key { return crypto.NewSecret() }

// KeyFromBytes copies a key of 32 bytes.
func KeyFromBytes(b []byte) (Key, error) {
	k, err := crypto.SecretFromBytes(b)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return k, nil
}

// ParseKey reads a key of 64 hexadecimal digits.
func ParseKey(hex string) (Key, error) {
	k, err := crypto.ParseSecret(hex)
	if err != nil {
		return Key{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return k, nil
}

// OpOption changes one call.
type OpOption func(*callOptions)

type callOptions struct {
	key   Key
	given bool // by an option, zero or not
	user  UserID
	named bool // by an option, zero or not

	rewrite bool
}

// WithIndexKey uses key for this call instead of the handle's. The zero Key is
// no key: the call answers ErrKeyRequired, also on a handle bound to one.
func WithIndexKey(key Key) OpOption {
	return func(c *callOptions) { c.key, c.given = key, true }
}

// WithUserID says whose key WithIndexKey brings; without it, root's. A user
// needs its key beside it: alone it answers ErrKeyRequired.
func WithUserID(user UserID) OpOption {
	return func(c *callOptions) { c.user, c.named = user, true }
}

// WithRewrite lets Purge go further than overwriting: see there. Other calls do not
// heed it.
func WithRewrite() OpOption { return func(c *callOptions) { c.rewrite = true } }

func gather(opts []OpOption) (c callOptions) {
	for _, o := range opts {
		if o != nil {
			o(&c)
		}
	}
	return c
}
