package crypto

import "fmt"

// ListingStatement is what root signs of a writer, apart from its epoch record:
// the writer's key in one epoch of one index. An epoch record is too large to
// be given away with every receipt, and says more than a stranger has to know.
// The statement is JSON so that a stranger can read it; it has this one form,
// so that who knows the four values knows its bytes.
func ListingStatement(index IndexID, epoch uint64, user UserID, key VerifyKey) []byte {
	return fmt.Appendf(nil, `{"type":"listing","version":1,"index":"%x","epoch":%d,"user":"%x","key":"%x"}`,
		index[:], epoch, user[:], key[:])
}

// Listing answers the statement and root's signature of it, in DomainListing,
// for a user who may write; ok is false for others, and for root, who needs
// none.
func (r *EpochRecord) Listing(id UserID) (statement []byte, sig Signature, ok bool) {
	u, found := r.User(id)
	if !found || u.Listing == (Signature{}) {
		return nil, Signature{}, false
	}
	return ListingStatement(r.Index, r.Epoch, u.User, u.Sign), u.Listing, true
}
