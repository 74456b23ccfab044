package proof

import (
	"errors"

	"oubliette/internal/fault"
)

// Why a document is refused; errors.Is finds these. Which of ErrAltered and
// ErrSigner it is goes by key ids, which nobody vouches for: to the question
// whether to believe the document the answer is no in both.
var (
	ErrForeign = errors.New("neither a receipt nor a certificate")
	ErrNewer   = fault.ErrNewer // a version that this build cannot read
	// ErrAltered: not what was signed, or not in the form in which it is written.
	ErrAltered = errors.New("altered")
	ErrSigner  = errors.New("signed neither by root nor by a user whom root lists for it")
	// ErrOtherIDs: a receipt does not cover these ids, or no others beside them.
	ErrOtherIDs = errors.New("the receipt is not of these ids")

	errUnfit = errors.New("unfit to be signed")
)
