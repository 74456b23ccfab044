package main

// Targets of Oubliette's, workload by workload: all that this program holds it to.
// Those against a store are about the ratio of one run.
var (
	// targetsOfSingleDelete: one goroutine, one id a call. The disk's sync is nearly
	// all of it.
	targetsOfSingleDelete = []target{{want: 0.9, against: theirs}}
	// targetsOfCrowdedDelete: 64 goroutines, one id a call.
	targetsOfCrowdedDelete = []target{{want: 1, against: theirs}}
	// targetsOfLargeDelete: one goroutine, 1,000 ids a call or more.
	targetsOfLargeDelete = []target{{want: 2, against: theirs}, {want: 4, against: "pebble3"}}

	// targetsOfErasingFew are about the time in which 0.1 % of the items are off the
	// disk, targetsOfErasing about that of 10 %.
	targetsOfErasingFew = []target{{want: 30, faster: true, against: theirs}}
	targetsOfErasing    = []target{{want: 3, faster: true, against: "sqlite"}, {want: 5, faster: true, against: theirs}}
	// targetsOfErasingBytes are about the bytes written for a byte of those 10 %.
	targetsOfErasingBytes = []target{{want: 1.05, atMost: true}}
	// targetsOfResidue are about the pieces that a search finds after any erasure, before
	// anything else is tried.
	targetsOfResidue = []target{{want: 0, atMost: true}}

	// targetsOfReading are about point reads before anything is deleted. Both sides
	// open what they read.
	targetsOfReading = []target{{want: 0.8, against: theirs}}
	// targetsOfReadingLater are about the time of a point read, and of a scan of all,
	// once half of the items are deleted.
	targetsOfReadingLater = []target{{want: 1.05, atMost: true, against: untouched}}

	// targetsOfIngest are about the rate of a whole run in calls of a thousand items,
	// background work included.
	targetsOfIngest = []target{{want: 2, against: theirs}}

	// targetsOfOpening are about the seconds of an open with a million tombstones
	// pending that came in calls of a thousand, targetsOfOpeningSingles about one
	// with a million that came one by one.
	targetsOfOpening        = []target{{want: 0.5, atMost: true}}
	targetsOfOpeningSingles = []target{{want: 3, atMost: true}}
	// targetsOfPendingMemory are about the bytes of memory each of them takes.
	targetsOfPendingMemory = []target{{want: 48, atMost: true}}
)

// pendingOfTargets is how many tombstones the targets of opening are about.
const pendingOfTargets = 1_000_000

// targetsOfGrowth hold a call on a store of many items against the same on the one
// with the fewest.
func targetsOfGrowth(fewest string) []target {
	return []target{{want: 1.2, atMost: true, against: fewest}}
}

// targetsOfMemory are about the MiB that a store of so many items takes when it has
// been opened: 32, and two bytes an item.
func targetsOfMemory(items int) []target {
	return []target{{want: 32 + 2*float64(items)/(1<<20), atMost: true}}
}
