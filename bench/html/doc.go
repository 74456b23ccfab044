// Package html writes the figures of a run as one HTML page: what targets are met,
// what was cut off, the machine, the settings and the stores; then, workload by
// workload, the ratios and every case, each chart with the table that it is drawn
// from.
//
// The page is one file that needs nothing else: charts are SVG within it, there
// is no script, and a content security policy forbids the browser to load
// anything. It is light or dark as its reader's machine is, and its charts can be
// read on a phone. What a chart shows stands in the table beside it as well, each
// value rounded for reading and, in its data element, exact.
//
// [Report] is all that the package knows of a run. [Report.Check] bounds it: a
// page of it can be drawn, and is not larger than some 20 KB a figure. [Page]
// refuses what Check refuses and fails otherwise only when a template or a font of
// this build is broken.
//
// # Bars, lines and points
//
// A case is drawn as bars, a store each, from zero to the median, with a whisker
// from the least to the greatest value. Where three or more cases of a workload,
// of one unit, differ in nothing but one number in their names, they are one
// chart with a line a store over that number.
//
// All ratios of a workload to the same store, or to the same case, are points in
// one chart with a logarithmic axis, each on a line from the least to the greatest
// ratio of a round.
//
// Package gonum.org/v1/plot draws. It was chosen among Go's chart packages because
// it has error bars and logarithmic axes, and escapes what it writes into SVG.
package html
