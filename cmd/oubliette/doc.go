// Command oubliette works on a store from a shell: it makes one, puts items in,
// reads, deletes, erases and checks them, and shows with "oubliette demo" that
// deleted items leave no byte behind.
//
// # What it promises
//
//   - A key comes from a file or from the environment, never from an argument,
//     and no output or error holds a byte of it.
//   - Input is applied in whole batches. A bad line is named by its number,
//     nothing of its batch is applied, and what was committed before it is told.
//   - With --json every result is JSON on standard output and every error JSON
//     on standard error; the exit codes are the same.
//   - An interrupt (SIGINT, SIGTERM) ends the work under way and closes the
//     store cleanly; a second one ends the process.
//
// # Files
//
// One file a command (cmd_*.go), the demo's parts in demo*.go and mnist.go. An
// item's line form is in itemline.go, an id's in idline.go; exit.go says which
// error is which exit code.
package main
