package proof

import (
	"regexp"
	"slices"
	"time"

	"oubliette/crypto"
)

// State is what a certificate says has been done.
type State string

// The states. Neither says more than that bytes were overwritten in the store's
// own files: see NotCovered.
const (
	// Erased: what the deletes killed was overwritten with zeros in place, and
	// the overwrite synced.
	Erased State = "erased"
	// Rewritten: beyond that, what stayed in these segments has been written
	// anew under fresh keys, and the headers of the old files, with the old
	// keys, were overwritten and synced.
	Rewritten State = "rewritten"
)

// MaxReceipts is how many receipts a certificate can name.
const MaxReceipts = 100

// Certificate is what its signer says of an erasure.
type Certificate struct {
	Author
	Time time.Time // when it was made, by the signer's clock, as all times
	// Through: of every delete up to this sequence number the certificate says
	// what it says.
	Through  uint64
	Receipts []Reference // those that were asked for, ascending; may be none
	State    State

	Since    time.Time // from when on the four below were counted
	Rows     uint64    // found
	Bytes    uint64    // overwritten
	Segments uint64    // with bytes that were overwritten
	Unlinked uint64    // segment files destroyed and removed

	// When the newest of the deletes was applied, its bytes overwritten and
	// synced, and its segments rewritten; zero where nothing was there to do,
	// and the last one, which State goes by, unless Rewritten.
	Applied, Overwritten, RewrittenAt time.Time

	FileSystem string // kind under the segment files, as the system calls it
}

// Reference names a receipt. Seq and Head place the delete, and stay the
// same whoever makes the receipt out, and in whatever epoch. Receipt says which
// of its documents lay before the signer, and decides nothing.
type Reference struct {
	Seq     uint64
	Head    crypto.Hash
	Receipt crypto.Hash // SHA-256 of the receipt's body
}

// Names tells whether r is among the receipts that the certificate names: whether
// it is of one of their deletes, whoever signed it. What r says of the delete, its
// own signer vouches for.
func (c *Certificate) Names(r *Receipt) bool {
	return c.Index == r.Index && slices.ContainsFunc(c.Receipts, func(of Reference) bool {
		return of.Seq == r.Seq && of.Head == r.Head
	})
}

func (c *Certificate) fields(x *coder) {
	x.object("", func() {
		x.constant("type", "certificate")
		x.version()
		c.head(x)
		x.time("time", &c.Time)
		x.number("through", &c.Through)
		c.references(x)
		x.string("state", (*string)(&c.State))
		x.time("since", &c.Since)
		x.number("rows", &c.Rows)
		x.number("bytes", &c.Bytes)
		x.number("segments", &c.Segments)
		x.number("unlinked", &c.Unlinked)
		x.optionalTime("applied", &c.Applied)
		x.optionalTime("overwritten", &c.Overwritten)
		x.optionalTime("rewritten", &c.RewrittenAt)
		x.string("file_system", &c.FileSystem)
		notCovered(x)
		c.tail(x)
	})
	c.rules(x)
}

func (c *Certificate) references(x *coder) {
	x.list("receipts", len(c.Receipts), 0, MaxReceipts, func(i int, name string) {
		if x.in != nil {
			c.Receipts = append(c.Receipts, Reference{})
		}
		r := &c.Receipts[i]
		x.object(name, func() {
			x.number("sequence", &r.Seq)
			x.hex("head", r.Head[:])
			x.hex("receipt", r.Receipt[:])
		})
		switch {
		case r.Seq == 0 || r.Seq > c.Through:
			x.fail(name+".sequence", "%d, not from 1 through %d", r.Seq, c.Through)
		case i > 0 && r.Seq <= c.Receipts[i-1].Seq:
			x.fail(name+".sequence", "%d behind %d", r.Seq, c.Receipts[i-1].Seq)
		}
	})
}

// fileSystemKind is a name, and the system's number where it stands for no name
// that is known: "unknown (0x1234)".
var fileSystemKind = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,31}( \(0x[0-9a-f]{1,16}\))?$`)

func (c *Certificate) rules(x *coder) {
	switch {
	case c.State != Erased && c.State != Rewritten:
		x.fail("state", "%q is none", c.State)
	case (c.State == Rewritten) == c.RewrittenAt.IsZero():
		x.fail("rewritten", "does not go with state %q", c.State)
	case c.Bytes > 0 && c.Overwritten.IsZero():
		x.fail("overwritten", "null, with %d bytes overwritten", c.Bytes)
	case !fileSystemKind.MatchString(c.FileSystem):
		x.fail("file_system", "%q is no kind of one", c.FileSystem)
	case !OverwritesInPlace(c.FileSystem):
		x.fail("file_system", "%s does not overwrite in place", c.FileSystem)
	}
}

func (c *coder) optionalTime(name string, t *time.Time) {
	c.optional(name, !t.IsZero(), func() { c.time(name, t) })
}
