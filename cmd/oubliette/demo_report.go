package main

// demoReport is what the demo has measured and found; --json prints it whole.
// Times are in seconds.
type demoReport struct {
	OK        bool   `json:"ok"`
	Store     string `json:"store,omitempty"` // when it was kept
	KeyFile   string `json:"key_file,omitempty"`
	Source    string `json:"source"`
	Dimension int    `json:"dimension"`

	Upsert  demoUpsert  `json:"upsert"`
	Noted   demoNoted   `json:"noted"`
	Before  demoSearch  `json:"search_before"`
	Delete  demoDelete  `json:"delete"`
	Hidden  demoHidden  `json:"hidden"`
	Erasure demoErasure `json:"erasure"`
	After   demoSearch  `json:"search_after"`
	Reopen  demoReopen  `json:"reopen"`
}

type demoUpsert struct {
	Items     int     `json:"items"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"items_per_second"`
	Files     int     `json:"files"`
	Bytes     int64   `json:"bytes"` // of all files
}

// demoNoted is what is searched for.
type demoNoted struct {
	Deleted     int `json:"deleted_items"`
	Control     int `json:"control_items"`
	PieceBytes  int `json:"piece_bytes"`
	DeletedSize int `json:"deleted_sealed_bytes"`
	ControlSize int `json:"control_sealed_bytes"`
	PlainValues int `json:"plain_values"` // ids, vectors, contents and metadata, different ones
}

// demoSearch is one search of every byte of every file.
type demoSearch struct {
	Files   int     `json:"files"`
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
	Rate    float64 `json:"bytes_per_second"`

	DeletedPieces int `json:"deleted_pieces"`
	DeletedHits   int `json:"deleted_hits"` // the residue, after the erasure
	ControlPieces int `json:"control_pieces"`
	ControlOnce   int `json:"control_found_once"`
	ControlHits   int `json:"control_hits"`
	PlainHits     int `json:"plain_hits"`
}

type demoDelete struct {
	IDs       int     `json:"ids"`
	Seconds   float64 `json:"seconds"`
	PerSecond float64 `json:"ids_per_second"`
	Seq       uint64  `json:"seq"`
}

// demoHidden is what the reads right behind the delete showed.
type demoHidden struct {
	Get              int `json:"get_found"`               // of the deleted ids
	IteratorBefore   int `json:"iterator_before"`         // yielded before the delete
	IteratorAfter    int `json:"iterator_after"`          // and behind it
	IteratorDeleted  int `json:"iterator_deleted"`        // of these, deleted
	IteratorSurvived int `json:"iterator_survivors_once"` // items that live, come exactly once
	Listed           int `json:"listed"`
	ListedDeleted    int `json:"listed_deleted"`
	Count            int `json:"count"`
}

type demoErasure struct {
	Promised    float64 `json:"promised_seconds"`
	Seconds     float64 `json:"seconds"`
	InTime      bool    `json:"in_time"`
	Rows        uint64  `json:"rows"`
	Overwritten uint64  `json:"bytes_overwritten"`
}

// demoReopen is what the store held when it was opened again.
type demoReopen struct {
	Seconds float64 `json:"seconds"`
	Get     int     `json:"get_found"` // of the deleted ids
	Items   int     `json:"items"`
	Equal   int     `json:"items_equal"` // in every field, bit for bit
}
