// Package items reads real items from files, for stores to be measured with: the
// MNIST test set, vectors in the fvecs format, and lines of JSON.
//
// A file is read to its end and all of it is looked at before any item is answered.
// Whatever is wrong is an error that names the file and where in it: the line, or
// the number of the vector and the byte where it begins. Of a file with more items
// than are wanted the first are kept; memory grows with those and with what has been
// read, not with what a header says.
package items
