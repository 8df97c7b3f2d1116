package scale

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// ParseCounts reads the arguments of ps:scale: "web=2", "worker=1". known are the types
// of the app; nil accepts all types, for an app that was never deployed. max is the limit
// for one type; 0 means DefaultMax. release=0, which ps:scale shows as Dokku does, says
// nothing: release is no process. The texts of the errors are Dokku's.
func ParseCounts(args, known []string, max int) (map[string]int, error) {
	counts := make(map[string]int, len(args))
	for _, arg := range args {
		typ, count, ok := strings.Cut(arg, "=")
		if !ok {
			//lint:ignore ST1005 the text is Dokku's
			return nil, fmt.Errorf("Missing count for process type %s", typ)
		}
		if typ == releaseType && count == "0" {
			continue
		}
		if message := badType(typ); message != "" || typ == releaseType {
			return nil, fmt.Errorf("%s is not a valid process name to scale up", typ)
		}
		n, message := parseCount(typ, count, max)
		if count == "" || message != "" && strings.Trim(count, "0123456789") != "" {
			return nil, invalidCount(typ, "")
		}
		if message != "" {
			return nil, invalidCount(typ, ": "+message)
		}
		if was, ok := counts[typ]; ok && was != n {
			return nil, invalidCount(typ, fmt.Sprintf(": it is given as %d and as %d", was, n))
		}
		if n > 0 && known != nil && !slices.Contains(known, typ) {
			return nil, fmt.Errorf("%s is not a valid process name to scale up", typ)
		}
		counts[typ] = n
	}
	return counts, nil
}

func invalidCount(typ, detail string) error {
	//lint:ignore ST1005 the text is Dokku's
	return fmt.Errorf("Invalid count for process type %s%s", typ, detail)
}

// Shipped returns the error of ps:scale for an app whose release ships its formation:
// Dokku's text, then the revision and its counts. It returns nil if no file decides the
// formation.
func (f Formation) Shipped(app, revision string) error {
	var counts []string
	var by Origin
	for _, e := range f {
		if e.Origin == FromDokkuScale || e.Origin == FromAppJSON {
			by = e.Origin
			counts = append(counts, fmt.Sprintf("%s=%d", e.Type, e.Count))
		}
	}
	file := map[Origin]string{FromDokkuScale: "a DOKKU_SCALE file", FromAppJSON: "an app.json file with a formations key"}[by]
	if file == "" {
		return nil
	}
	//lint:ignore ST1005 the text is Dokku's
	return fmt.Errorf("App %s contains %s and cannot be manually scaled\n%s of revision %s says: %s; change it there and push",
		app, file, by, revision, strings.Join(counts, " "))
}

// WriteTable prints the formation as ps:scale APP does; with quiet, without the heading.
func (f Formation) WriteTable(w io.Writer, app string, quiet bool) error {
	var b strings.Builder
	if !quiet {
		fmt.Fprintf(&b, "-----> Scaling for %s\nproctype: qty\n--------: ---\n", app)
	}
	for _, e := range f {
		fmt.Fprintf(&b, "%-5s %d\n", e.Type+":", e.Count)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// JSON returns the formation as ps:scale --format json prints it, without a newline; "[]"
// for a nil formation.
func (f Formation) JSON() ([]byte, error) {
	if f == nil {
		f = Formation{}
	}
	return json.Marshal(f)
}
