// Package codec is the one binary codec of the store's formats: little-endian
// integers, and byte strings behind a 32-bit length.
//
// A [Decoder] carries its first error along, so that a decoder of a format
// reads all its fields in a row and looks at the error once. It never
// allocates by a length that it has not held against the bytes it was given:
// [Decoder.Raw] and [Decoder.Blob] alias their input, and [Decoder.Count]
// refuses a count that the remaining input cannot hold.
package codec
