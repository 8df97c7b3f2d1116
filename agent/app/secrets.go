package app

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// secretName matches the names of variables whose values are secrets.
var secretName = regexp.MustCompile(`(?i)(^|_)(pass|passwd|password|passphrase|pwd|secrets?|tokens?|keys?|apikey|credentials?|auth|private|dsn|salt|pepper)(_|$)`)

// minHidden is the length in bytes of the shortest value that is hidden: a shorter one is also a part of
// words that are none.
const minHidden = 6

// Secrets returns what no log of a deploy may show of a configuration: the values of variables
// whose names say so (PASSWORD, API_KEY, ...) and the passwords of URLs, each line by itself. Other
// values, such as production, stay readable.
func Secrets(config map[string]string) []string {
	var found []string
	add := func(value string) {
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(line); len(line) >= minHidden && !slices.Contains(found, line) {
				found = append(found, line)
			}
		}
	}
	for name, value := range config {
		u, err := url.Parse(value)
		isURL := err == nil && u.Host != "" && u.Scheme != ""
		if isURL && u.User != nil {
			if password, ok := u.User.Password(); ok {
				add(password)
				_, escaped, _ := strings.Cut(u.User.String(), ":")
				add(escaped)
			}
			continue
		}
		if secretName.MatchString(name) && !isURL {
			add(value)
		}
	}
	return found
}
