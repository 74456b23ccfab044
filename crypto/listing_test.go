package crypto

import (
	"encoding/json"
	"fmt"
	"testing"
)

// The record's listings were signed by another implementation.
func TestListingIsRootsWordOfWhoMayWrite(t *testing.T) {
	r := decodeEpoch(t, load[epochVectors](t, "epoch.json").Second)
	reader, writer := r.Users[1].User, r.Users[2]
	statement, sig, ok := r.Listing(writer.User)
	if !ok || !r.Root.Verify(DomainListing, statement, sig) {
		t.Errorf("%s: not signed by root", statement)
	}
	want := fmt.Sprintf(`{"type":"listing","version":1,"index":"%s","epoch":2,"user":"22222222222222222222222222222222","key":"%x"}`, r.Index, writer.Sign)
	if string(statement) != want || !json.Valid(statement) {
		t.Errorf("%s\nwant %s", statement, want)
	}
	for _, id := range []UserID{{}, reader, {0x33}} {
		if s, sig, ok := r.Listing(id); ok || s != nil || sig != (Signature{}) {
			t.Errorf("user %s has a listing: %s", id, s)
		}
	}
}

func TestListingSpeaksOfOneKeyOfOneUserInOneEpoch(t *testing.T) {
	index, user, key := IndexID{1}, UserID{2}, VerifyKey{3}
	seen := map[string]bool{}
	for _, s := range [][]byte{
		ListingStatement(index, 4, user, key), ListingStatement(IndexID{9}, 4, user, key),
		ListingStatement(index, 5, user, key), ListingStatement(index, 4, UserID{9}, key),
		ListingStatement(index, 4, user, VerifyKey{9}),
	} {
		if seen[string(s)] {
			t.Errorf("said twice: %s", s)
		}
		seen[string(s)] = true
	}
}
