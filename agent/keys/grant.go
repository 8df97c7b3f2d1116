package keys

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Role is what a key is for. The zero value may do nothing.
type Role string

// The roles, from the one with the most rights down. What each may do is in package cli of
// the commands.
const (
	Admin    Role = "admin"
	Operator Role = "operator"
	Deployer Role = "deployer"
)

// Roles are all roles.
var Roles = []Role{Admin, Operator, Deployer}

// AllApps in Grant.Apps stands for every app, present and future.
const AllApps = "*"

// A Grant is what a key may do.
type Grant struct {
	Role Role
	// Apps are the apps that the key may use, sorted. Those of an admin's key have no effect
	// until it becomes another one.
	Apps []string
	// Services are those that an operator's key may use, sorted: "postgres:db".
	Services []string
	// Config lets a deployer's key read values of the config.
	Config bool
	// Expires ends all rights at this time; zero: never.
	Expires time.Time
}

// Uses reports whether the key may use the app, which need not exist.
func (g Grant) Uses(app string) bool {
	switch g.Role {
	case Admin:
		return true
	case Operator:
		return slices.Contains(g.Apps, app) || slices.Contains(g.Apps, AllApps)
	case Deployer:
		return slices.Contains(g.Apps, app)
	}
	return false
}

// Serves reports whether the key may use the service of a kind.
func (g Grant) Serves(kind, service string) bool {
	return g.Role == Admin || g.Role == Operator && slices.Contains(g.Services, kind+":"+service)
}

// Expired reports whether the rights have ended.
func (g Grant) Expired(now time.Time) bool { return !g.Expires.IsZero() && !now.Before(g.Expires) }

var (
	// granted are the forms of apps and services. Both become words of a command line.
	grantedApp     = regexp.MustCompile(`^(\*|[a-z0-9][a-z0-9.-]{0,62})$`)
	grantedService = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*:[A-Za-z0-9_][A-Za-z0-9_-]*$`)
)

// Check returns an error for a grant that no key may have.
func (g Grant) Check() error {
	if !slices.Contains(Roles, g.Role) {
		return fmt.Errorf("%q is not a role: use admin, operator or deployer", g.Role)
	}
	for _, a := range g.Apps {
		if !grantedApp.MatchString(a) {
			return fmt.Errorf("%q is not the name of an app: it has a-z, 0-9, - and . alone, 63 at most", a)
		}
	}
	for _, s := range g.Services {
		if !grantedService.MatchString(s) {
			return fmt.Errorf("%q is not a service: name its kind and itself, as in postgres:db", s)
		}
	}
	switch {
	case g.Role == Deployer && slices.Contains(g.Apps, AllApps):
		return fmt.Errorf("a deployer's key names its apps: for every app, make it an operator's")
	case g.Config && g.Role != Deployer:
		return fmt.Errorf("--config is for a deployer's key: operators and admins read the config anyway")
	}
	return nil
}

// everyApp is AllApps in a line of authorized_keys.
const everyApp = "--every-app"

// words are the grant on the command line of the forced command; none: an admin without
// anything else, as keys were before there were roles.
func (g Grant) words() (list []string) {
	if g.Role == Admin && len(g.Apps)+len(g.Services) == 0 && g.Expires.IsZero() {
		return nil
	}
	if g.Role != "" {
		list = append(list, "--role="+string(g.Role))
	}
	for _, a := range sorted(g.Apps) {
		if a == AllApps { // which the login shell would take for a pattern
			list = append(list, everyApp)
			continue
		}
		list = append(list, "--app="+a)
	}
	for _, s := range sorted(g.Services) {
		list = append(list, "--service="+s)
	}
	if g.Config {
		list = append(list, "--config")
	}
	if !g.Expires.IsZero() {
		list = append(list, "--expires="+g.Expires.UTC().Format(time.RFC3339))
	}
	return list
}

// String returns the grant as ssh-keys:list shows it after Dokku's columns; "" for an admin's
// that never expires.
func (g Grant) String() string {
	if g.Role == Admin && len(g.words()) == 0 {
		return ""
	}
	role := g.Role
	if role == "" {
		role = "none"
	}
	text := fmt.Sprintf(" ROLE=%q", role)
	if len(g.Apps) > 0 || g.Role != Admin {
		text += fmt.Sprintf(" APPS=%q", strings.Join(g.Apps, ","))
	}
	if len(g.Services) > 0 {
		text += fmt.Sprintf(" SERVICES=%q", strings.Join(g.Services, ","))
	}
	if g.Config {
		text += ` CONFIG="true"`
	}
	if !g.Expires.IsZero() {
		text += fmt.Sprintf(" EXPIRES=%q", g.Expires.Format(time.RFC3339))
	}
	if g.Expired(time.Now()) {
		text += ` EXPIRED="true"`
	}
	return text
}

// ParseGrant reads the words that follow the key's name in the forced command. Without any,
// the key is an admin's. A word that this program does not know, of a later version or of a
// damaged line, is an error: such a key may do nothing.
func ParseGrant(words []string) (Grant, error) {
	if len(words) == 0 {
		return Grant{Role: Admin}, nil
	}
	g, err := parseWords(words)
	if err == nil {
		err = g.Check()
	}
	return g, err
}

func parseWords(words []string) (g Grant, err error) {
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "--role":
			if g.Role != "" {
				return Grant{}, fmt.Errorf("it has two roles")
			}
			g.Role = Role(value)
		case "--app":
			g.Apps = append(g.Apps, value)
		case everyApp:
			g.Apps = append(g.Apps, AllApps)
		case "--service":
			g.Services = append(g.Services, value)
		case "--expires":
			if g.Expires, err = time.Parse(time.RFC3339, value); err != nil {
				return Grant{}, fmt.Errorf("%q is no time", value)
			}
		case "--config":
			g.Config = true
		default:
			return Grant{}, fmt.Errorf("this dokku does not know %q", name)
		}
	}
	g.Apps, g.Services = sorted(g.Apps), sorted(g.Services)
	return g, nil
}

// sorted returns the list sorted and without duplicates.
func sorted(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// ParseExpiry reads when a key expires: a date, which is the key's last day in UTC, a time as
// in RFC 3339, or a duration from now such as 12h, 30d or 8w. "never" is the zero time.
func ParseExpiry(text string, now time.Time) (time.Time, error) {
	at, err := parseExpiry(text, now)
	switch {
	case err != nil:
		return at, fmt.Errorf("invalid value %q for --expires: use a date (2027-01-31), a time (2027-01-31T12:00:00Z), a duration (12h, 30d, 8w), or never", text)
	case !at.IsZero() && !at.After(now):
		return at, fmt.Errorf("invalid value %q for --expires: it is over", text)
	}
	return at.UTC().Truncate(time.Second), nil
}

func parseExpiry(text string, now time.Time) (time.Time, error) {
	if text == "never" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day.AddDate(0, 0, 1), nil
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	var n int
	var unit string
	if c, err := fmt.Sscanf(text, "%d%s", &n, &unit); c == 2 && err == nil && n > 0 && n < 10000 && fmt.Sprint(n)+unit == text {
		switch unit {
		case "d":
			return now.AddDate(0, 0, n), nil
		case "w":
			return now.AddDate(0, 0, 7*n), nil
		}
	}
	d, err := time.ParseDuration(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("%s is not later than now", d)
	}
	return now.Add(d), err
}

// Access is what the client of a connection may do, and what became of it.
type Access struct {
	Key         string
	Fingerprint string // "" where it is not known
	Grant       Grant
	// App is the app that the client's command named, Command the command's name, and Refused
	// whether the key's rights did not suffice: for the log.
	App, Command string
	Refused      bool
}

// Admin reports whether the client may do everything.
func (a *Access) Admin() bool { return a == nil || a.Grant.Role == Admin }

// Uses reports whether the client may use the app.
func (a *Access) Uses(app string) bool { return a == nil || a.Grant.Uses(app) }

// Refuse records that the rights of the key do not suffice, and returns the error.
func (a *Access) Refuse(format string, args ...any) error {
	a.Refused = true
	return fmt.Errorf(format, args...)
}

// NoApp is the error for an app that the key may not use. It is the same for one that does
// not exist: a key learns nothing about the apps of others.
func (a *Access) NoApp(app string) error {
	return a.Refuse("The key %s may not use the app %s (an admin can allow it with ssh-keys:set %[1]s --app %[2]s)", a.Key, app)
}

// Expired returns an error once the key has expired.
func (a *Access) Expired(now time.Time) error {
	if a == nil || !a.Grant.Expired(now) {
		return nil
	}
	return a.Refuse("The key %s expired at %s (an admin can renew it with ssh-keys:set %[1]s --expires 30d)", a.Key, a.Grant.Expires.Format(time.RFC3339))
}
