package html

import (
	"encoding/xml"
	"errors"
	"fmt"
	stdhtml "html"
	"io"
	"regexp"
	"strings"
	"testing"
)

// made is the page of a report.
func made(t *testing.T, r *Report) string {
	t.Helper()
	b, err := Page(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var tableRow = regexp.MustCompile(`(?s)<tr>.*?</tr>`)

func TestPageHoldsEveryFigureAndFact(t *testing.T) {
	r := sample()
	rows := tableRow.FindAllString(made(t, r), -1)
	for _, list := range [][]Fact{r.Machine, r.Settings, {{"seconds in all", "12.5"}}} {
		for _, f := range list {
			if !oneHolds(rows, stdhtml.EscapeString(f.Name), stdhtml.EscapeString(f.Value)) {
				t.Errorf("no row with %v", f)
			}
		}
	}
	for _, s := range r.Stores {
		counted := map[bool]string{true: "counted", false: "cannot be counted"}[s.Counted]
		if !oneHolds(rows, s.Name, s.Module, s.Version, stdhtml.EscapeString(s.Settings), ">"+counted+"<") {
			t.Errorf("no row with %v", s)
		}
	}
	for _, f := range r.Figures {
		want := []string{f.Store, exactly(f.Median), exactly(f.Min), exactly(f.Max), fmt.Sprintf("<td>%d</td>", f.N)}
		if f.Ratio != nil {
			want = append(want, exactly(f.Ratio.Medians)+"1.12</data> × "+f.Against)
			ratios := []string{f.Store, exactly(f.Ratio.Medians), exactly(f.Ratio.Paired), exactly(f.Ratio.Min), exactly(f.Ratio.Max)}
			if !oneHolds(rows, ratios...) {
				t.Errorf("no row with all of %q", ratios)
			}
		}
		for _, target := range f.Targets {
			text, verdict := stdhtml.EscapeString(target.Text), map[bool]string{true: ">met<", false: ">missed<"}[target.Met]
			want = append(want, text, verdict)
			if !oneHolds(rows, f.Case, f.Unit, f.Store+" "+text, exactly(target.Got), verdict) {
				t.Errorf("no row of %s with %v", f.Case, target)
			}
		}
		if !oneHolds(rows, want...) {
			t.Errorf("no row with all of %q", want)
		}
	}
}

func TestPageSaysWhatWasCutOffAndHowManyTargetsAreMet(t *testing.T) {
	page := made(t, sample())
	for _, want := range []string{"<li>delete: theirs &amp; others cut off</li>", ">2 of 3 targets met<"} {
		if !strings.Contains(page, want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	r := sample()
	r.Notes = nil
	if strings.Contains(made(t, r), "Not measured to the end") {
		t.Error("a page without notes has a heading for them")
	}
}

func exactly(v float64) string { return fmt.Sprintf(`<data value="%v">`, v) }

// oneHolds tells whether one of the rows has all the parts.
func oneHolds(rows []string, parts ...string) bool {
	for _, row := range rows {
		all := true
		for _, p := range parts {
			all = all && strings.Contains(row, p)
		}
		if all {
			return true
		}
	}
	return false
}

func TestLinksLeadToTheirParts(t *testing.T) {
	page := made(t, sample())
	links := regexp.MustCompile(`href="#([^"]*)"`).FindAllStringSubmatch(page, -1)
	if len(links) != 7 {
		t.Errorf("%d links, want one for each target, for what comes before the workloads, and for the only one", len(links))
	}
	for _, l := range links {
		if strings.Count(page, ` id="`+l[1]+`"`) != 1 {
			t.Errorf("%s leads nowhere, or to several places", l[0])
		}
	}
}

func TestPageNeedsNothingElse(t *testing.T) {
	page := made(t, sample())
	for _, bad := range []string{`\ssrc\s*=`, `href\s*=\s*["']?[^"'#]`, `(?i)https?:`, `url\(`, `@import`, `<(script|link|img|image|iframe|object|embed)\b`} {
		if found := regexp.MustCompile(bad).FindString(page); found != "" {
			t.Errorf("%q is in the page", found)
		}
	}
	if !strings.Contains(page, `content="default-src 'none'; style-src 'unsafe-inline'"`) {
		t.Error("no content security policy")
	}
}

var element = regexp.MustCompile(`(?s)<svg .*?</svg>`)

// texts are what the texts in a page's charts say.
func texts(t *testing.T, page string) (out []string) {
	t.Helper()
	for _, chart := range element.FindAllString(page, -1) {
		d := xml.NewDecoder(strings.NewReader(chart))
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%v in %s", err, chart)
			}
			if text, ok := token.(xml.CharData); ok {
				out = append(out, string(text))
			}
		}
	}
	return out
}

func TestEveryChartIsWholeAndSaysWhatItShows(t *testing.T) {
	page := made(t, sample())
	all := strings.Join(texts(t, page), "\n")
	for _, want := range []string{
		"… ids a call, ids/s\n", ofLines, "single, deletes/s\n", "residue, pieces\n", ofBars, "Ratios to theirs\n", ofRatios, "ratio to theirs\n",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is in no chart", want)
		}
	}
	charts, tables := len(element.FindAllString(page, -1)), strings.Count(page, `<div class="pair">`)
	if charts != 5 || tables != charts {
		t.Errorf("%d charts, %d tables beside them, want 5 each", charts, tables)
	}
}

func TestBarsBeginAtZeroAndHaveTheirSpread(t *testing.T) {
	for _, c := range []struct {
		median, lo, hi float64
		axis           []string
		whiskers       int
	}{
		{0, 0, 0, []string{"0", "0.5", "1"}, 0}, // an axis needs a length
		{8, 8, 8, []string{"0", "2", "4", "6", "8"}, 0},
		{80, 20, 160, []string{"0", "50", "100", "150"}, 3}, // a line and its two ends
		{-8, -16, 8, []string{"-15", "-10", "-5", "0", "5"}, 3},
	} {
		r := named()
		r.Figures = []Figure{{Workload: "w", Case: "a", Store: "ours", Unit: "u", Median: c.median, Min: c.lo, Max: c.hi, N: 1}}
		chart := element.FindString(made(t, r))
		all := "\n" + strings.Join(texts(t, chart), "\n") + "\n"
		for _, tick := range c.axis {
			if !strings.Contains(all, "\n"+tick+"\n") {
				t.Errorf("%v: %s is not on the axis, but %q", c, tick, all)
			}
		}
		if c.lo >= 0 && strings.Contains(all, "\n-") {
			t.Errorf("%v: the axis goes below zero: %q", c, all)
		}
		zero := 0 // a line there, beside the axis and its ticks
		if c.lo < 0 {
			zero = 1
		}
		if n := strings.Count(chart, "stroke:"+string(css(ink))+";stroke-width:0.5"); n != 1+len(c.axis)+zero {
			t.Errorf("%v: %d lines in ink, want the axis, %d ticks, and %d at zero", c, n, len(c.axis), zero)
		}
		if n := strings.Count(chart, `style="fill:none;stroke:`+string(css(ink))+`"`); n != c.whiskers {
			t.Errorf("%v: whiskers of %d lines, want %d", c, n, c.whiskers)
		}
	}
}

func TestLinesOfValuesThatAreCloseBeginAtZero(t *testing.T) {
	chart := element.FindString(made(t, named("10 ids", "20 ids", "30 ids")))
	if all := "\n" + strings.Join(texts(t, chart), "\n") + "\n"; !strings.Contains(all, "\n0\n") {
		t.Errorf("zero is not on the axis, but %q", all)
	}
}

func TestWorkloadsStandInTheirOrder(t *testing.T) {
	r := named()
	r.Figures = []Figure{compared("a", "ours", "theirs", 1, 1, 1), compared("b", "ours", "theirs", 1, 1, 1)}
	r.Figures[0].Workload, r.Figures[0].Against, r.Figures[0].Ratio = "without ratios", "", nil
	page := made(t, r)
	if first, second := strings.Index(page, "<h2>without ratios</h2>"), strings.Index(page, "<h2>w</h2>"); first < 0 || second < first {
		t.Errorf("workloads at %d and %d", first, second)
	}
}

func TestACaseOfSeveralStoresIsNamedOnceInATable(t *testing.T) {
	page := made(t, named("10 ids", "20 ids", "30 ids"))
	for _, name := range []string{"10 ids", "20 ids", "30 ids"} {
		if n := strings.Count(page, `rowspan="2">`+name+"<"); n != 1 || strings.Count(page, ">"+name+"<") != 1 {
			t.Errorf("%s stands in %d cells of two rows, want 1", name, n)
		}
	}
}

func TestStoresAreToldApart(t *testing.T) {
	p := make(palette)
	there := make(map[string]bool)
	for i := range colours {
		name := fmt.Sprint("store ", i)
		p[name] = i
		point := p.point(name)
		for _, key := range []string{fmt.Sprint(point.Color), fmt.Sprint(point.Shape)} {
			if there[key] {
				t.Errorf("%s is of two stores", key)
			}
			there[key] = true
		}
	}
}

// What a chart writes in ink or in grey is what the page's style puts others in the
// place of, where its reader wants it dark.
func TestChartsAreDrawnInColoursThatThePageCanChange(t *testing.T) {
	page := made(t, sample())
	drawn := strings.Join(element.FindAllString(page, -1), "")
	own := map[string]bool{"none": true}
	for _, c := range colours {
		own[string(css(c))] = true
	}
	changed := make(map[string]bool)
	for _, rule := range regexp.MustCompile(`svg \[style\*="([^"]+)"\]`).FindAllStringSubmatch(page, -1) {
		changed[rule[1]] = false
	}
	for _, found := range regexp.MustCompile(`(?:fill|stroke):([^;"]+)(;fill-opacity)?`).FindAllStringSubmatch(drawn, -1) {
		if found[2] != "" {
			continue // a bar, on which light and dark show
		}
		if _, there := changed[found[0]]; there {
			changed[found[0]] = true
		} else if !own[found[1]] {
			t.Fatalf("%s stays in the dark", found[0])
		}
	}
	for rule, met := range changed {
		if !met {
			t.Errorf("nothing is drawn with %s", rule)
		}
	}
	if !strings.Contains(page, "prefers-color-scheme: dark") {
		t.Error("the page has no dark colours")
	}
}

func TestTextsAreEscaped(t *testing.T) {
	const hostile = `</svg><script>alert('&amp;"1"')</script>`
	r := sample()
	r.Machine[0] = Fact{hostile, hostile}
	r.Stores[0] = Store{hostile, hostile, hostile, hostile, true}
	r.Notes[0] = hostile
	for i := range r.Figures {
		f := &r.Figures[i]
		f.Workload, f.Case, f.Store, f.Unit = hostile+f.Workload, f.Case+hostile, hostile+f.Store, hostile+f.Unit
		if f.Ratio != nil {
			f.Against = hostile
		}
		for i := range f.Targets {
			f.Targets[i].Text = hostile
		}
	}
	page := made(t, r)
	if strings.Contains(page, "<script") || strings.Count(page, "<svg ") != strings.Count(page, "</svg>") {
		t.Error("a text of the report has become an element")
	}
	in := 0
	for _, text := range texts(t, page) {
		if text == short(hostile+"ours") {
			in++
		}
	}
	if in != 7 {
		t.Errorf("%d names of stores in charts, want 1 at ratios, 2 at lines, 4 at bars", in)
	}
}

func TestValuesAtTheBoundsAreDrawn(t *testing.T) {
	values := []float64{-most, -least, 0, least, 1, 1e9, most}
	sizes := []string{"0", "1", "1000000000000000"}
	var r = named()
	for _, lo := range values {
		for _, hi := range values {
			if lo > hi {
				continue
			}
			for _, median := range []float64{lo, hi} {
				unit := fmt.Sprint(lo, median, hi)
				for _, name := range append(sizes, "alone") {
					r.Figures = append(r.Figures, Figure{Workload: "w", Case: name, Store: "ours", Unit: unit, Median: median, Min: lo, Max: hi, N: 1,
						Against: unit, Ratio: &Ratio{Medians: median, Paired: median, Min: lo, Max: hi}})
				}
			}
		}
	}
	for _, shape := range []string{"%d", "0.00000%d", "7%03d", "%d00000000"} {
		for i := range 3 {
			r.Figures = append(r.Figures, Figure{Workload: "w", Case: fmt.Sprintf(shape, i+1), Store: "ours", Unit: shape, Median: 5, Min: 1, Max: 1e8, N: 1})
		}
	}
	page := made(t, r)
	if bad := regexp.MustCompile(`(NaN|[+-]?Inf)\b`).FindString(page); bad != "" {
		t.Errorf("%s is in the page", bad)
	}
	texts(t, page)
}
