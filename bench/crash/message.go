package crash

// what says what a message of the child's is.
type what byte

const (
	began   what = iota + 1 // a call is about to be made
	ended                   // it has returned without an error
	noted                   // pieces of items that expire
	phased                  // a phase begins
	unphase                 // it has ended
	found                   // an item, on a scan or a get
	told                    // something is wrong that the child has seen itself
	replied                 // an order has been carried out, or has failed
)

// op is a call.
type op string

const (
	upserts op = "upserts"
	deletes op = "deletes"
	gets    op = "gets"
	scans   op = "scans"
)

// message goes from the child to the parent. Which fields are set depends on
// What.
type message struct {
	What   what
	Worker int
	Op     op
	IDs    []string
	// Version of the items of an upsert, and of those that expire.
	Version version
	// Pieces are what has to be gone once the call is done.
	Pieces [][]byte
	// Least and Most are how many items a delete finds.
	Least, Most int
	Receipt     []byte
	Phase       string
	Canon       string
	Verdict     Verdict
	Text        string // of what is told; of a reply: the error
	Accounts    []account
	Amount      int // of acknowledged gets or scans
}

// account is what a store says of one delete.
type account struct {
	Erased, Counted bool
	Found           int
	Err             string
}

// order goes from the parent to the child, which carries out one after the
// other and replies to each.
type order struct {
	Do       task
	Setup    *setup
	IDs      []string
	Receipts [][]byte
	Work     *work
}

type task string

const (
	doOpen     task = "open"
	doPeek     task = "open for reading only"
	doScan     task = "scan"
	doGet      task = "get"
	doCheck    task = "check"
	doErase    task = "erase"
	doAccount  task = "account for deletes"
	doWork     task = "begin to work"
	doStop     task = "stop to work"
	doClose    task = "close"
	doCloseNow task = "close while calls are under way"
)

// setup is what a child is told first.
type setup struct {
	Kind, Dir, Aside string
	Key              [32]byte
}

// work is what a child's goroutines are to do until they are killed.
type work struct {
	Seed    uint64
	Session uint64
	Writers int
	IDs     int                // of each writer
	Have    map[string]version // what is in the store
	Prefer  string             // the phase that should come often
}
