package main

import (
	"fmt"
	"unicode/utf8"
)

// missingID names an id without an item. One that was an argument and may be a
// key, or hold one, is named by its place.
type missingID struct {
	ID       string `json:"id,omitempty"`
	IDBase64 []byte `json:"id_base64,omitempty"`
	Argument int    `json:"argument,omitempty"` // from 1 on
}

func (m missingID) String() string {
	switch {
	case m.Argument > 0:
		return fmt.Sprintf("argument %d, which is not shown because it looks like a key", m.Argument)
	case m.IDBase64 != nil:
		return formatID(string(m.IDBase64))
	}
	return formatID(m.ID)
}

// missingError says which of the wanted ids have no item.
type missingError struct {
	wanted int
	ids    []missingID
}

func (e *missingError) Error() string {
	return fmt.Sprintf("%s of %s: %v", number(len(e.ids)), count(e.wanted, "id"), errNotFound)
}

func (e *missingError) Unwrap() error { return errNotFound }

// missingID names an id by its place among the source's.
func (s idSource) missingID(id string, at int) missingID {
	switch {
	case s.file == "" && keyDigits.MatchString(id):
		return missingID{Argument: at + 1}
	case utf8.ValidString(id):
		return missingID{ID: id}
	}
	return missingID{IDBase64: []byte(id)}
}
