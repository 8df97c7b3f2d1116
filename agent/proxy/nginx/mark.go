package nginx

import (
	"encoding/json"
	"fmt"
	"strings"

	"dokku/agent/proxy"
)

const (
	// routeMark begins the line that a route is read back from, moreMark each line that
	// continues it.
	routeMark = "# route "
	moreMark  = "# route+ "

	// maxMark is how much of a route stands in one line, in bytes. nginx reads a comment
	// into a buffer of 4,096 bytes.
	maxMark = 3000
)

// mark returns the route as JSON in comments.
func mark(r proxy.Route) string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("internal error: a route that cannot be written as JSON: %v", err))
	}
	w := &strings.Builder{}
	for mark := routeMark; mark == routeMark || len(text) > 0; mark = moreMark {
		n := min(len(text), maxMark)
		fmt.Fprintf(w, "%s%s\n", mark, text[:n])
		text = text[n:]
	}
	return strings.TrimSuffix(w.String(), "\n")
}

// parseApp reads the route back from the file of an app.
func parseApp(app string, file []byte) (proxy.Route, error) {
	bad := func(why any) (proxy.Route, error) {
		return proxy.Route{}, fmt.Errorf("cannot read the route of %s from its nginx file: %v: run dokku ps:restart %[1]s to write it anew", app, why)
	}
	var mark strings.Builder
	found, inside := 0, false
	for line := range strings.Lines(string(file)) {
		line, whole := strings.CutSuffix(line, "\n")
		if m, ok := strings.CutPrefix(line, routeMark); ok && whole {
			mark.WriteString(m)
			found, inside = found+1, true
		} else if m, ok := strings.CutPrefix(line, moreMark); ok && whole && inside {
			mark.WriteString(m)
		} else {
			inside = false
		}
	}
	if found != 1 {
		return bad(fmt.Sprintf("it has %d lines that begin with %q instead of one", found, routeMark))
	}
	var r proxy.Route
	if err := json.Unmarshal([]byte(mark.String()), &r); err != nil {
		return bad(err)
	}
	if r.App != app {
		return bad(fmt.Sprintf("it is the file of %.80q", r.App))
	}
	r, err := r.Checked()
	if err != nil {
		return bad(err)
	}
	return r, nil
}
