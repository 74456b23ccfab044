package crypto

// Labels of derivations and commitments. Each binds one purpose: two purposes
// never share a label, so a key derived for one can't be had through another.
const (
	labelRootSign  = "oubliette/root-signing-key/v1"
	labelGrantKEM  = "oubliette/grant-kem/v1"
	labelGrantInfo = "oubliette/grant/v1"
	labelDEKInfo   = "oubliette/dek/v1"
	labelDEKCommit = "oubliette/dek-commitment/v1"
	labelMapLink   = "oubliette/map-key-link/v1"
	labelAnchor    = "oubliette/anchor/v1"
	labelMark      = "oubliette/receipt-mark/v1"
)

// Domain is the payload type of a signed statement: a signature made for one
// domain is refused in every other.
type Domain string

// The domains of signed statements.
const (
	DomainEpoch    Domain = "application/vnd.oubliette.epoch.v1"
	DomainGroup    Domain = "application/vnd.oubliette.log-group.v1"
	DomainManifest Domain = "application/vnd.oubliette.manifest.v1"
	DomainFooter   Domain = "application/vnd.oubliette.segment-footer.v1"
	DomainOutcome  Domain = "application/vnd.oubliette.outcome.v1"
	// DomainSuccession: a root signs its successor's first epoch record.
	DomainSuccession Domain = "application/vnd.oubliette.succession.v1"
	// DomainGone: root states that it has deleted an index.
	DomainGone Domain = "application/vnd.oubliette.index-gone.v1"
	// DomainListing: root says, apart from its epoch record, which key is a
	// writer's. These three are read outside of the store, too: each is the
	// payload type of a DSSE envelope and its payload is JSON.
	DomainListing     Domain = "application/vnd.oubliette.listing.v1+json"
	DomainReceipt     Domain = "application/vnd.oubliette.receipt.v1+json"
	DomainCertificate Domain = "application/vnd.oubliette.certificate.v1+json"
)
