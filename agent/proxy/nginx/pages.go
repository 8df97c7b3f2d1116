package nginx

import (
	"fmt"
	"io"
	"strconv"

	"dokku/agent/proxy"
)

// page is an answer of nginx's own to a visitor. The admin's own is <status>.html.
type page struct {
	status   int
	sentence string
	headers  string
}

// retry tells browsers and crawlers when to come again, in seconds. Nobody knows when;
// a minute costs little.
const retry = "        add_header Retry-After 60 always;\n"

var (
	unknownPage = page{status: 404, sentence: "There is no site at this address; please check its spelling."}
	stoppedPage = page{status: 503, sentence: "This site is switched off at the moment; please come back later.", headers: retry}
	emptyPage   = page{status: 503, sentence: "This site is not running at the moment; please come back later.", headers: retry}
	deadPage    = page{status: 502, sentence: "This site does not answer at the moment; please try again in a minute."}
	slowPage    = page{status: 504, sentence: "This site takes too long to answer; please try again in a minute."}
)

// pageText is one parameter of nginx, whose limit is 4,096 bytes.
const pageText = `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>` +
	`<title>%d</title><body style='font:1.2em sans-serif;text-align:center;margin:20vh 1em'><p>%s</p></body></html>`

// renderPages writes the pages of an app's server. A process's own answers pass as
// they are.
func renderPages(w io.Writer, r proxy.Route) {
	dir := r.Settings.Properties[proxy.ErrorPages]
	absent := emptyPage
	if r.Stopped {
		absent = stoppedPage
	}
	for _, p := range []page{absent, deadPage, slowPage} {
		renderPage(w, p.with(r.Settings), dir)
	}
}

// with adds the header that all answers of an app's server have: a location with headers of
// its own inherits none.
func (p page) with(s proxy.Settings) page {
	if s.Properties["hsts"] == "true" {
		p.headers += "    " + hstsHeader
	}
	return p
}

// renderPage answers a status with a page: the file of that name in the folder dir, else
// our own. A file needs a location of its own, since a named one keeps the method, and
// nginx gives no file to a POST.
func renderPage(w io.Writer, p page, dir string) {
	status := strconv.Itoa(p.status)
	named := "@dokku_" + status
	headers := "        add_header Cache-Control no-store always;\n" + p.headers
	if dir == "" {
		fmt.Fprintf(w, "\n    error_page %s %s;\n", status, named)
	} else {
		fmt.Fprintf(w, `
    error_page %s /.dokku/%[1]s.html;
    location = /.dokku/%[1]s.html {
        internal;
        default_type text/html;
        root %s;
%s        try_files /%[1]s.html %[4]s;
    }
`, status, dir, headers, named)
	}
	fmt.Fprintf(w, `    location %s {
        default_type text/html;
%s        return %s "%s";
    }
`, named, headers, status, fmt.Sprintf(pageText, p.status, p.sentence))
}
