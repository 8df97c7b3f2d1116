package app

import (
	"fmt"
	"regexp"
	"strings"
)

// namePattern is what Dokku accepts as the name of an app; ".." is refused
// besides, since names become paths.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// ValidName returns an error unless name can be an app's.
func ValidName(name string) error {
	if !namePattern.MatchString(name) || strings.Contains(name, "..") || strings.HasSuffix(name, ".git") {
		if strings.Contains(name, "=") {
			return fmt.Errorf("App name %q is not valid: the app comes first, then what is set", name)
		}
		return fmt.Errorf("App name %q is not valid: it must begin with a lowercase letter or a digit and hold only "+
			"lowercase letters, digits, hyphens and single dots, 63 characters at most", name)
	}
	return nil
}
