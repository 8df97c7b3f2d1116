package proc

import "regexp"

var terminalType = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$`)

// TerminalType returns a value of TERM if it can be passed on to a program, and
// "" if not.
func TerminalType(term string) string {
	if !terminalType.MatchString(term) {
		return ""
	}
	return term
}
