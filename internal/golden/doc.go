// Package golden keeps a format's page and its bytes together. A page in
// docs/format holds, in a fenced block, the bytes of one example field by
// field; a test makes the same example with the code and calls [Check], which
// fails when the two differ. Who changes a format has to change its page.
//
// A block stands between "```golden <name>" and "```":
//
//	offset  size  hex  name
//	0  4  4f424c54  magic
//	4  2  0100  version
//	6  100  00112233445566778899aabbccddeeff… sha256:<64 digits>  sealed
//
// A field of up to 64 bytes is written out. Of a longer one stand the first 16
// bytes and the SHA-256 of all, so that no difference hides. A field without
// bytes has "-" for them.
//
// Run the tests with -update-golden to write the blocks anew, then read the
// difference: a format that changed needs a new version number.
//
// The package reads and writes the working tree of this module, in tests only.
package golden
