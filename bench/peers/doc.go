// Package peers holds the stores that are measured and crashed: Oubliette, and
// those that it is held against. Each is set up as its own users would for
// durable writes, and seals its values with one AEAD, as somebody would who
// puts encryption at rest on top of it; Badger, which has its own, encrypts by that.
//
// Each file here registers what it holds: one's own store takes one more file.
package peers
