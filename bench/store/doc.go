// Package store says what a store has to do to be measured and to be crashed:
// [Store] is all that every one of them needs, the other interfaces are for
// those that can do more. A [Kind] says how a store is opened and what it
// promises.
//
// # Adding a store
//
// It takes one file in package peers, or one of your own that hands a Kind to
// package crash: a type with the calls of Store, and a Kind that opens it.
package store
