package checks

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"dokku/scale"
)

// Limits of the values in files and settings.
const (
	maxAttempts = 100
	maxTime     = 24 * time.Hour // of one setting
	maxChecks   = 100            // of one process type
)

// Settings are the waiting times of the gate. The keys of Origin are the property names
// of checks:set.
type Settings struct {
	Wait     time.Duration // of one attempt
	Timeout  time.Duration // of one request or command
	Attempts int
	// Uptime is how long a process that is not web has to stay up.
	Uptime time.Duration
	// ListenTimeout is how long after its start a web process without checks has to
	// accept a connection.
	ListenTimeout time.Duration
	// DefaultWait is Uptime's default. It is also the time after which a web process
	// that does not listen is accepted without RequireListening.
	DefaultWait time.Duration
	// RequireListening: a web process that does not listen is rejected. Dokku accepts
	// it after DefaultWait.
	RequireListening bool
	// ImageHealthcheck: the image's HEALTHCHECK has to pass too.
	ImageHealthcheck bool
	// MaxBudget is the longest time for which one check may be tried. It is the
	// server's alone, since a deploy holds the app's lock for as long.
	MaxBudget    time.Duration
	WaitToRetire time.Duration // from the switch to the old processes' stop
	SkipAll      bool          // no checks at all
	SkipDefault  bool          // no default checks
	// Skip are the process types whose checks are skipped (checks:skip).
	Skip []string
	// Disabled are the process types whose old processes stop before the new ones
	// start, without checks (checks:disable).
	Disabled []string
	// Origin is the source of each value: "default", "server",
	// "app", "server config", "app config", "CHECKS".
	Origin map[string]string
}

// Budget is how long a check may be tried: WAIT x ATTEMPTS.
func (s Settings) Budget() time.Duration { return s.Wait * time.Duration(s.Attempts) }

// Defaults are Dokku 0.3.26's, and ours for what it does not have: uptime,
// listen-timeout, require-listening, image-healthcheck and max-budget.
func Defaults() Settings {
	s := Settings{Wait: 5 * time.Second, Timeout: 30 * time.Second, Attempts: 5,
		DefaultWait: 10 * time.Second, Uptime: 10 * time.Second, ListenTimeout: 30 * time.Second, WaitToRetire: 60 * time.Second,
		RequireListening: true, ImageHealthcheck: true, MaxBudget: time.Hour, Origin: map[string]string{}}
	for _, k := range knobs {
		s.Origin[k.property] = "default"
	}
	return s
}

// Sources are the places that settings come from. A later field wins over an earlier
// one: settings of the app over settings of the server, and a property of checks:set
// over the config variable that it replaced.
type Sources struct {
	ServerConfig map[string]string // config:set --global DOKKU_CHECKS_WAIT=5
	Server       map[string]string // checks:set --global wait 5
	AppConfig    map[string]string // config:set APP DOKKU_CHECKS_WAIT=5
	App          map[string]string // checks:set APP wait 5
}

// knob is a setting: its names and how its value is read.
type knob struct {
	property string
	variable string
	set      func(s *Settings, value string) error
}

var knobs = []knob{
	{"wait", "DOKKU_CHECKS_WAIT", func(s *Settings, v string) error { return setDuration(&s.Wait, v) }},
	{"timeout", "DOKKU_CHECKS_TIMEOUT", func(s *Settings, v string) error { return setTimeout(&s.Timeout, v) }},
	{"attempts", "DOKKU_CHECKS_ATTEMPTS", func(s *Settings, v string) error { return setAttempts(&s.Attempts, v) }},
	{"default-wait", "DOKKU_DEFAULT_CHECKS_WAIT", func(s *Settings, v string) error { return setDuration(&s.DefaultWait, v) }},
	{"uptime", "DOKKU_CHECKS_UPTIME", func(s *Settings, v string) error { return setDuration(&s.Uptime, v) }},
	{"listen-timeout", "DOKKU_CHECKS_LISTEN_TIMEOUT", func(s *Settings, v string) error { return setDuration(&s.ListenTimeout, v) }},
	{"require-listening", "DOKKU_CHECKS_REQUIRE_LISTENING", func(s *Settings, v string) error { return setBool(&s.RequireListening, v) }},
	{"image-healthcheck", "DOKKU_CHECKS_IMAGE_HEALTHCHECK", func(s *Settings, v string) error { return setBool(&s.ImageHealthcheck, v) }},
	{"wait-to-retire", "DOKKU_WAIT_TO_RETIRE", func(s *Settings, v string) error { return setDuration(&s.WaitToRetire, v) }},
	{"skip-all", "DOKKU_SKIP_ALL_CHECKS", func(s *Settings, v string) error { return setBool(&s.SkipAll, v) }},
	{"skip-default", "DOKKU_SKIP_DEFAULT_CHECKS", func(s *Settings, v string) error { return setBool(&s.SkipDefault, v) }},
	{"skip", "DOKKU_CHECKS_SKIPPED", func(s *Settings, v string) error { return setTypes(&s.Skip, v) }},
	{"disabled", "DOKKU_CHECKS_DISABLED", func(s *Settings, v string) error { return setTypes(&s.Disabled, v) }},
	{MaxBudget, "DOKKU_CHECKS_MAX_BUDGET", func(s *Settings, v string) error { return setDuration(&s.MaxBudget, v) }},
}

// MaxBudget is the property that only the server has.
const MaxBudget = "max-budget"

// Properties are the names that checks:set accepts, in the order of a report.
func Properties() []string {
	names := make([]string, len(knobs))
	for i, k := range knobs {
		names[i] = k.property
	}
	return names
}

// CheckProperty says whether checks:set may store a value; empty unsets and is
// always allowed.
func CheckProperty(property, value string) error {
	i := slices.IndexFunc(knobs, func(k knob) bool { return k.property == property })
	if i < 0 {
		//lint:ignore ST1005 the text is Dokku's
		return fmt.Errorf("Invalid property specified, valid properties include: %s", strings.Join(Properties(), ", "))
	}
	if value == "" {
		return nil
	}
	s := Defaults()
	if err := knobs[i].set(&s, value); err != nil {
		return fmt.Errorf("%s cannot be %q: %w", property, value, err)
	}
	return nil
}

// Resolve weighs the sources. An empty value counts as unset. The error names the
// first value that cannot be used and how to correct it.
func Resolve(from Sources) (Settings, error) {
	s := Defaults()
	for _, src := range []struct {
		values  map[string]string
		origin  string
		fix     string
		configs bool
		server  bool
	}{
		{from.ServerConfig, "server config", "dokku config:set --global", true, true},
		{from.Server, "server", "dokku checks:set --global", false, true},
		{from.AppConfig, "app config", "dokku config:set APP", true, false},
		{from.App, "app", "dokku checks:set APP", false, false},
	} {
		for _, k := range knobs {
			name := k.property
			if src.configs {
				name = k.variable
			}
			value := strings.TrimSpace(src.values[name])
			if value == "" || k.property == MaxBudget && !src.server {
				continue
			}
			if err := k.set(&s, value); err != nil {
				return Settings{}, fmt.Errorf("cannot use %s=%s (%s): %w; correct it with %s", name, value, src.origin, err, src.fix)
			}
			s.Origin[k.property] = src.origin
		}
	}
	if s.Origin["uptime"] == "default" {
		s.Uptime = s.DefaultWait
	}
	if err := s.fits(); err != nil {
		return Settings{}, err
	}
	return s, nil
}

// assign sets the value of a property.
func (s *Settings) assign(property, value string) error {
	for _, k := range knobs {
		if k.property == property {
			return k.set(s, value)
		}
	}
	return fmt.Errorf("%s is not a property of checks", property)
}

// fits checks the budget.
func (s Settings) fits() error {
	if b := s.Budget(); b > s.MaxBudget {
		return fmt.Errorf("WAIT=%s x ATTEMPTS=%d is %s in all: lower them to %s at most, or have the admin raise checks:set --global max-budget",
			seconds(s.Wait), s.Attempts, duration(b), duration(s.MaxBudget))
	}
	return nil
}

// Skips reports whether a process type has no checks.
func (s Settings) Skips(typ string) bool {
	return s.SkipAll || s.Disables(typ) || slices.Contains(s.Skip, typ) || slices.Contains(s.Skip, AllTypes)
}

// Disables reports whether a process type is replaced with a gap.
func (s Settings) Disables(typ string) bool {
	return slices.Contains(s.Disabled, typ) || slices.Contains(s.Disabled, AllTypes)
}

// ParseDuration reads "5" (seconds), "0.5", "5s" or "1m30s".
func ParseDuration(value string) (time.Duration, error) {
	text := value
	if strings.Trim(value, "-0123456789.") == "" {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || strings.HasPrefix(value, "+") {
		return 0, fmt.Errorf("write seconds (5) or a duration (1m30s)")
	}
	if d < 0 {
		return 0, fmt.Errorf("it has to be 0 or more")
	}
	return d, nil
}

func setDuration(d *time.Duration, value string) error {
	v, err := ParseDuration(value)
	if err == nil && v > maxTime {
		err = fmt.Errorf("at most %s", seconds(maxTime))
	}
	if err != nil {
		return err
	}
	*d = v
	return nil
}

func setTimeout(d *time.Duration, value string) error {
	v := *d
	if err := setDuration(&v, value); err != nil {
		return err
	}
	if v == 0 {
		return fmt.Errorf("a request without time cannot be answered: write 1 or more")
	}
	*d = v
	return nil
}

func setAttempts(n *int, value string) error {
	v, err := strconv.Atoi(value)
	if err != nil || v < 1 || v > maxAttempts {
		return fmt.Errorf("write a whole number from 1 to %d", maxAttempts)
	}
	*n = v
	return nil
}

func setBool(b *bool, value string) error {
	switch strings.ToLower(value) {
	case "1", "true", "yes", "on":
		*b = true
	case "0", "false", "no", "off":
		*b = false
	default:
		return fmt.Errorf("write true or false")
	}
	return nil
}

// AllTypes stands for every process type in a list of them.
const AllTypes = "_all_"

// setTypes reads a list of process types, or AllTypes.
func setTypes(list *[]string, value string) error {
	types := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	for _, t := range types {
		if t != AllTypes && !scale.ValidType(t) {
			return fmt.Errorf("%q is not a process type: write types with commas between them, or %s", t, AllTypes)
		}
	}
	*list = types
	return nil
}

// seconds writes a duration as CHECKS does where it can: 5, 1m30s.
func seconds(d time.Duration) string {
	if d%time.Second == 0 && d < 10*time.Minute {
		return strconv.Itoa(int(d / time.Second))
	}
	return strings.TrimSuffix(d.String(), "0s")
}
