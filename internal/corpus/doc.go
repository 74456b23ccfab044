// Package corpus keeps the seeds of fuzz targets and the code together. The seeds
// of a target stand in files, testdata/fuzz/<target>/<name>, as Go's fuzzing reads
// them: they can be looked at, and every run begins with them.
//
// A seed's name says what is to become of it: valid-… is taken, hostile-… is
// refused. [Hold] makes each seed with the code of today and holds the files
// against that, so that a format that changes cannot silently turn a corpus into
// bytes that are refused at the first of them. Files of other names are inputs that
// have found something; they only have to be whole.
//
// Run a package's tests with -update-corpus to write its seeds anew. Seeds that hold
// random bytes (a key, a nonce) differ then each time.
//
// A decoder must not allocate by a length that it has not held against its input:
// [Bound] fails a target that does.
//
// The package's own tests walk the module: every target has a corpus, every corpus a
// target, and every decoder is reached by a target or listed with a reason.
package corpus
