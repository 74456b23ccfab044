// Command oubliette works on a store from a shell: it makes one, puts items in,
// reads, deletes, erases and checks them, and shows with "oubliette demo" that
// deleted items leave no byte behind.
//
// # What it promises
//
//   - A key comes from a file or from the environment, never from an argument,
//     and no output or error holds a byte of it, also when it was given as an
//     argument by mistake. Only an id may look like one.
//   - A key that a command draws is durable in its file before anything is done
//     with it; no file that is there is overwritten. What a change of keys has
//     come to is told apart: made, not made, or not known.
//   - Input is applied in whole batches. A bad line is named by its number,
//     nothing of its batch is applied, and what was committed before it is told.
//   - With --json every line on standard output is JSON, and so is every line on
//     standard error; the exit codes are the same.
//   - A document (a receipt, a certificate) is in its file whole and durable or not
//     at all; no file that is there is overwritten, and one that cannot be made is
//     told before anything is done. A delete is done also when its receipt cannot
//     be written, and that is said.
//   - A ledger inside of the store's folder is refused. What it shows to have been
//     put back is a warning.
//   - A search for residue says how much it has searched for and in what; notes
//     that are empty, cut or changed are refused.
//   - An interrupt (SIGINT, SIGTERM) ends the work under way and closes the
//     store cleanly, also while input is waited for; a second one ends the
//     process. The store is opened only when there is something to do in it.
//   - A reader of the output who has left does not end a command that writes
//     before it has closed the store.
//
// # Files
//
// One file a command (cmd_*.go), the demo's parts in demo*.go and mnist.go. An
// item's line form is in itemline.go, an id's in idline.go, a user's id in
// userid.go, that of notes in notes.go. document.go and certificate.go have what is
// said of receipts and certificates, newfile.go how they are written; ledger.go how
// a store is opened with its ledger; newkey.go and outcome.go what changes of keys
// share; exit.go says which error is which exit code, report.go how errors are
// told.
package main
