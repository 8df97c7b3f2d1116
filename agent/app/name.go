package app

import (
	"fmt"
	"regexp"
	"strings"
)

// namePattern matches the names that Dokku accepts for apps. ValidName refuses ".."
// too, because names become paths.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9.-]{0,62}$`)

// ValidName returns an error unless an app may have the name.
func ValidName(name string) error {
	if !namePattern.MatchString(name) || strings.Contains(name, "..") || strings.HasSuffix(name, ".git") {
		if strings.Contains(name, "=") {
			return fmt.Errorf("App name %q is not valid: the app's name comes first, then KEY=VALUE", name)
		}
		return fmt.Errorf("App name %q is not valid: it must begin with a lowercase letter or a digit and contain only "+
			"lowercase letters, digits, hyphens and single dots, 63 characters at most", name)
	}
	return nil
}
