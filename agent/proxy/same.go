package proxy

// Same reports whether publishing r where o is live changes nothing: defaults
// and spelling of names do not count.
func (r Route) Same(o Route) bool {
	a, aerr := checked(r)
	b, berr := checked(o)
	return aerr == nil && berr == nil && a.equal(b)
}

// CheckSize says whether a value can be Settings.ClientMaxBodySize.
func CheckSize(value string) error { return checkSize(value) }
