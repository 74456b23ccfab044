package fault

import (
	"errors"
	"fmt"
	"io/fs"
	"testing"
)

func TestCorruptionErrorIsItselfErrCorruptAndItsCause(t *testing.T) {
	for _, cause := range []error{ErrForeign, ErrNewer, ErrDamaged, fs.ErrNotExist} {
		err := fmt.Errorf("opening: %w", Corrupt("segments/a.seg", 4096, "block %d: %w", 3, cause))
		var ce *CorruptionError
		if !errors.As(err, &ce) || ce.Path != "segments/a.seg" || ce.Offset != 4096 {
			t.Fatalf("%v is no CorruptionError", err)
		}
		for _, other := range []error{ErrCorrupt, ErrForeign, ErrNewer, ErrDamaged, ErrFailed, fs.ErrNotExist} {
			if want := other == cause || other == ErrCorrupt; errors.Is(err, other) != want {
				t.Errorf("%v is %v: %v", err, other, !want)
			}
		}
		if want := "opening: corrupt: segments/a.seg at offset 4096: block 3: " + cause.Error(); err.Error() != want {
			t.Errorf("%q, want %q", err, want)
		}
	}
}

func TestCorruptionErrorWithoutCauseIsStillCorrupt(t *testing.T) {
	if err := error(&CorruptionError{Path: "x"}); !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}

func TestFailedIsNotCorrupt(t *testing.T) {
	if errors.Is(ErrFailed, ErrCorrupt) || errors.Is(Corrupt("x", 0, "y"), ErrFailed) {
		t.Error("a failed write and damage are told apart by no test")
	}
}
