package html

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed page.tmpl
var source string

var page = template.Must(template.New("page").Parse(source))

// Page answers the page of a report. It refuses what [Report.Check] refuses.
func Page(r *Report) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	v, err := newView(r)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return nil, fmt.Errorf("write the page: %w", err)
	}
	return b.Bytes(), nil
}
