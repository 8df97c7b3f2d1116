package nginx

import (
	"fmt"
	"slices"

	"dokku/agent/proxy"
)

// page is an answer of nginx's own to a visitor.
type page struct {
	Status   int
	Sentence syntax
	// Retry tells browsers and crawlers when to come again, in seconds; "" for nothing.
	Retry syntax
	// Dir is the folder of an admin's own page, <status>.html; "" for none.
	Dir string
	// HSTS: the app's server sends the header.
	HSTS bool
	// Shared: the page's location is that of all pages of a server.
	Shared bool
}

// retry is short: nobody knows when the app comes back, and a minute costs little. crowdRetry is
// for who asks too much at once.
const (
	retry      = "60"
	crowdRetry = "10"
)

var (
	unknownPage = page{Status: 404, Sentence: "There is no site at this address; please check its spelling."}
	stoppedPage = page{Status: 503, Sentence: "This site is switched off at the moment; please come back later.", Retry: retry}
	emptyPage   = page{Status: 503, Sentence: "This site is not running at the moment; please come back later.", Retry: retry}
	worksPage   = page{Status: 503, Sentence: "This site is down for maintenance; please come back in a few minutes.", Retry: retry}
	crowdPage   = page{Status: 429, Sentence: "Too many requests come from your address; please try again in a few seconds.", Retry: crowdRetry}
	deadPage    = page{Status: 502, Sentence: "This site does not answer at the moment; please try again in a minute."}
	slowPage    = page{Status: 504, Sentence: "This site takes too long to answer; please try again in a minute."}
)

// in is the page with a folder of an admin's own.
func (p page) in(dir string) page {
	p.Dir = dir
	return p
}

// Location is the name of the page's location.
func (p page) Location() string {
	if p.Shared {
		return "@dokku_page"
	}
	return fmt.Sprintf("@dokku_%d", p.Status)
}

// Path is where nginx finds the admin's own page.
func (p page) Path() string { return fmt.Sprintf("/.dokku/%d.html", p.Status) }

// ownPages are the pages for what an app does not answer, in the shared file.
var ownPages = []page{crowdPage, emptyPage, deadPage, slowPage}

// pages are those of an app's server. They have one location, whose Retry and Text depend
// on the status.
type pages struct {
	page
	Text syntax // a variable
	List []page
}

// Pages returns the pages of an app's server. A process's own answers pass as they are.
func (v view) Pages() pages {
	all := pages{page{Retry: "$dokku_retry", Dir: v.Value(proxy.ErrorPages), HSTS: v.HSTS() != "", Shared: true}, "$dokku_page", slices.Clone(ownPages)}
	if v.Stopped {
		all.Text = "$dokku_stopped_page"
	}
	for i := range all.List {
		all.List[i].Dir, all.List[i].HSTS, all.List[i].Shared = all.Dir, all.HSTS, true
	}
	return all
}

// UnknownPage returns the page of an app's server for requests to another address.
func (v view) UnknownPage() page {
	p := unknownPage
	p.HSTS = v.HSTS() != ""
	return p
}
