// Package crypto is the whole of the store's cryptography: the key hierarchy,
// what seals, what signs, what commits. Nothing outside of it names a
// primitive.
//
// Constructions, each from a vetted package:
//
//   - sealing: ChaCha20-Poly1305 (RFC 8439), nonces by counter under a key that
//     is random and used by one writer only;
//   - derivation: HKDF-SHA-256 (RFC 5869) with an info that binds the label and
//     every context string by its length ([Derive]);
//   - tokens: HMAC-SHA-256 (RFC 2104) truncated to 16 bytes ([Tokenizer]);
//   - sealing to a public key: HPKE base mode (RFC 9180) with MLKEM768-X25519
//     (X-Wing; draft-ietf-hpke-pq), HKDF-SHA-256 and ChaCha20-Poly1305, one
//     message an encapsulation ([SealDEK], [SealGrant]);
//   - signatures: Ed25519 (RFC 8032) over DSSE's pre-authentication encoding
//     with one payload type a purpose ([Signer], [VerifyKey]);
//   - commitments: SHA-256, truncated to 16 bytes for sealed fields ([Commit]),
//     and HMAC-SHA-256 under the key itself for keys ([CommitDEK]), because an
//     AEAD tag commits to neither plaintext nor key once the key is known.
//
// # Keys
//
// The index key (KEK) is never stored. From it, for one index, are derived
// root's signing key and root's grant key pair. Everything else is random and
// stands in grants sealed to the principals whom root's signed [EpochRecord]
// lists:
//
//	id key      the index's life   tokens
//	map key     an epoch           log sessions, segment indexes, filters
//	reader key  an epoch           HPKE key pair; its public half is in the epoch
//	                               record, so who only writes can seal a data key
//	signing key an epoch's user    log groups, manifests, footers, receipts
//
// A segment's data key (DEK) is random, stands in that file's header only,
// sealed to the reader key, and is never written to the log.
//
// # Invariants
//
// A [Secret], a [Signer] and a [ReaderKey] do not print or marshal; a Secret
// does not compare with ==. A nonce is a counter under a key that one run drew
// or derived with fresh randomness. Labels are unique a purpose; the list is in
// labels.go, and docs/crypto.md says what each is for.
//
// # How it fails
//
// Decoders answer an error that wraps one of fault's causes and allocate no
// more than the bytes they were given. A seal that does not open says no more
// than that. What only a fault in the program can bring about panics: a secret
// or signer used after Wipe. Go in FIPS 140-only mode refuses
// ChaCha20-Poly1305, so the store does not run in it.
package crypto
