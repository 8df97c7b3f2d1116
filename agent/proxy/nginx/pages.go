package nginx

import "dokku/agent/proxy"

// page is an answer of nginx's own to a visitor.
type page struct {
	Status   int
	Sentence string
	// Retry tells browsers and crawlers when to come again, in seconds; 0 for nothing.
	Retry int
	// Dir is the folder of an admin's own page, <status>.html; "" for none.
	Dir string
	// HSTS: the app's server sends the header.
	HSTS bool
}

// retry is short: nobody knows when the app comes back, and a minute costs little.
const retry = 60

var (
	unknownPage = page{Status: 404, Sentence: "There is no site at this address; please check its spelling."}
	stoppedPage = page{Status: 503, Sentence: "This site is switched off at the moment; please come back later.", Retry: retry}
	emptyPage   = page{Status: 503, Sentence: "This site is not running at the moment; please come back later.", Retry: retry}
	deadPage    = page{Status: 502, Sentence: "This site does not answer at the moment; please try again in a minute."}
	slowPage    = page{Status: 504, Sentence: "This site takes too long to answer; please try again in a minute."}
)

// in is the page with a folder of an admin's own.
func (p page) in(dir string) page {
	p.Dir = dir
	return p
}

// Pages returns the pages of an app's server. A process's own answers pass as they are.
func (v view) Pages() []page {
	absent := emptyPage
	if v.Stopped {
		absent = stoppedPage
	}
	list := []page{absent, deadPage, slowPage}
	for i := range list {
		list[i] = list[i].in(v.Value(proxy.ErrorPages))
		list[i].HSTS = v.HSTS() != ""
	}
	return list
}

// UnknownPage returns the page of an app's server for requests to another address.
func (v view) UnknownPage() page {
	p := unknownPage
	p.HSTS = v.HSTS() != ""
	return p
}
