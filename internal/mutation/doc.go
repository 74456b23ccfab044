// Package mutation holds deliberate faults of the store's code, and the test that
// the crash tests catch each of them: a harness that has never failed shows nothing.
//
// A fault is a few lines of a source file with others in their place: a sync left
// out, two steps swapped, a row forgotten. It is compiled in with go build's -overlay,
// so that the code itself knows nothing of it, no build can ship it, and the tests
// that meet it are those that everybody runs.
//
// What every fault's text has to be is checked by go test ./...: it stands exactly
// once in its file, and what comes in its place is Go. Whether the tests catch them
// takes some minutes:
//
//	OUBLIETTE_LONG=1 go test ./internal/mutation -timeout 60m -v
//
// prints for each fault what caught it: the point of the crash, and what did not fit.
package mutation
