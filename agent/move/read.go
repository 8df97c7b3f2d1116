package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jdx/go-netrc"
	"golang.org/x/crypto/ssh"

	"dokku/agent/app"
	"dokku/agent/event"
	wording "dokku/agent/text"
)

// nouns are those whose reports Read asks for. Those of plugins come only where they are
// installed.
var (
	nouns       = []string{"apps", "app-json", "builder", "builder-dockerfile", "builder-pack", "buildpacks", "certs", "checks", "cron", "docker-options", "domains", "git", "logs", "network", "nginx", "ports", "proxy", "ps", "registry", "resource", "scheduler-docker-local", "storage"}
	pluginNouns = []string{"http-auth", "letsencrypt", "maintenance"}
	globalNouns = []string{"app-json", "builder", "builder-dockerfile", "builder-pack", "buildpacks", "checks", "cron", "domains", "git", "logs", "network", "nginx", "ps", "registry", "scheduler-docker-local"}
)

// defaultRoot is the folder of Dokku's apps unless a report says otherwise.
const defaultRoot = "/home/dokku"

// prefixes are the prefixes of the values in reports, where they are not the noun.
var prefixes = map[string]string{"apps": "app", "certs": "ssl"}

// Server is what a Dokku server has beside its apps.
type Server struct {
	Host    Host
	Version string          // "0.35.20"
	Plugins map[string]bool // the names of those that are enabled
	Names   []string        // all apps
	// Global are the reports and the config of the server, and Keys the ssh keys.
	Global map[string]Report
	Config map[string]string
	Keys   []Key
	// Services are those that ReadServices has read.
	Services []*Service

	netrc  *netrc.Netrc
	docker string          // config.json, with the passwords of registries
	others []string        // what to say about other plugins
	text   map[string]bool // the nouns whose reports have no JSON
}

// A Key is a line of authorized_keys.
type Key struct{ Name, Text string }

// An App is what a Dokku server has of an app.
type App struct {
	Name    string
	Dir     string // its repository there
	Reports map[string]Report
	Config  map[string]string
	Scale   map[string]string
	Mounts  []Mount
	// Certificate and PrivateKey are PEM; "" without one.
	Certificate, PrivateKey string
	Redirects               []string          // SOURCE:DESTINATION:CODE
	Users                   string            // htpasswd
	OwnNginx                map[string]string // files of nginx.conf.d that nothing but a person wrote
	Page                    string            // a tar of the page for maintenance; "": none
	Suspended               []Task
	Allowed                 []string // the list of the plugin acl
	Docker                  string   // config.json, with the app's own passwords of registries

	state       app.State // of this program; its Version is 0 for an app of Dokku
	Branch, Tip string    // "": never pushed
}

// stopped reports whether the app has processes there, all of which are stopped.
func (a *App) stopped() bool {
	r := a.Reports["ps"]
	return r["running"] == "false" && r["deployed"] == "true" && r["processes"] != "0"
}

// A Mount is a folder or a volume of an app.
type Mount struct {
	Source, Target, Options string
	// Dir is the folder or that of the volume, and Filled: it has files.
	Dir    string
	Filled bool
}

func (m Mount) String() string {
	if m.Options == "" {
		return m.Source + ":" + m.Target
	}
	return m.Source + ":" + m.Target + ":" + m.Options
}

var versionText = regexp.MustCompile(`^dokku version v?(\d+)\.(\d+)\.(\d+)`)

// Open finds out what a server is. The error names the reason where it is no Dokku server of
// version 0.30 or later.
func Open(ctx context.Context, h Host) (*Server, error) {
	text, err := output(ctx, h, "dokku", "version")
	var failed *Failed
	m := versionText.FindStringSubmatch(strings.TrimSpace(text))
	switch {
	case errors.As(err, &failed) && failed.Code == 127, errors.As(err, &failed) && strings.Contains(failed.Text, "command not found"):
		return nil, fmt.Errorf("cannot import from %s: it has no command dokku", h)
	case errors.As(err, &failed):
		return nil, fmt.Errorf("cannot import from %s: dokku version fails there: %w", h, err)
	case err != nil:
		return nil, err
	case m == nil:
		return nil, fmt.Errorf("cannot import from %s: dokku version answers %q there, which is no version of Dokku", h, event.OneLine(strings.TrimSpace(text)))
	}
	if major, _ := strconv.Atoi(m[1]); major == 0 {
		if minor, _ := strconv.Atoi(m[2]); minor < 30 {
			return nil, fmt.Errorf("cannot import from %s: it has Dokku %s.%s.%s, and 0.30 is the oldest that can be read: upgrade it first", h, m[1], m[2], m[3])
		}
	}
	s := &Server{Host: h, Version: strings.Join(m[1:], "."), text: map[string]bool{}}
	if s.Plugins, err = s.plugins(ctx); err != nil {
		return nil, err
	}
	list, err := s.dokku(ctx, "apps:list")
	if err != nil && !strings.Contains(err.Error(), "any applications yet") {
		return nil, err
	}
	s.Names = lines(list)
	slices.Sort(s.Names)
	return s, nil
}

// dokku runs a command that only reads.
func (s *Server) dokku(ctx context.Context, args ...string) (string, error) {
	text, err := output(ctx, s.Host, append([]string{"dokku", "--quiet"}, args...)...)
	var failed *Failed
	if errors.As(err, &failed) {
		err = fmt.Errorf("%s: dokku %s: %w", s.Host, strings.Join(args, " "), err)
	}
	return text, err
}

// plugins are those that are enabled: JSON since Dokku 0.36, else a table.
func (s *Server) plugins(ctx context.Context) (map[string]bool, error) {
	text, err := s.dokku(ctx, "plugin:list")
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	var list []struct {
		Name    string
		Enabled bool
		Core    bool
	}
	if json.Unmarshal([]byte(text), &list) == nil {
		for _, p := range list {
			found[p.Name] = p.Enabled && !p.Core
		}
	} else {
		for _, line := range lines(text) {
			// NAME VERSION enabled|disabled DESCRIPTION
			if f := strings.Fields(line); len(f) > 2 {
				found[f[0]] = f[2] == "enabled" && !strings.Contains(line, "dokku core")
			}
		}
	}
	maps.DeleteFunc(found, func(_ string, on bool) bool { return !on })
	return found, nil
}

// report reads the report of a noun about an app, or the server ("--global"). A noun that
// this version does not have gives an empty one.
func (s *Server) report(ctx context.Context, noun, of string) (Report, error) {
	prefix := prefixes[noun]
	if prefix == "" {
		prefix = noun
	}
	var failed *Failed
	if !s.text[noun] {
		text, err := s.dokku(ctx, noun+":report", of, "--format", "json")
		if err == nil && strings.HasPrefix(strings.TrimSpace(text), "{") {
			return ParseReport(prefix, text)
		}
		if err != nil && !errors.As(err, &failed) {
			return nil, err
		}
		s.text[noun] = true
	}
	text, err := s.dokku(ctx, noun+":report", of)
	if errors.As(err, &failed) {
		return Report{}, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseReport(prefix, text)
}

// config reads variables.
func (s *Server) config(ctx context.Context, of string) (map[string]string, error) {
	text, err := s.dokku(ctx, "config:export", of, "--format", "json")
	var config map[string]string
	if err == nil && strings.TrimSpace(text) != "" {
		err = json.Unmarshal([]byte(text), &config)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the config of %s: %w", of, err)
	}
	return config, nil
}

// ReadGlobal reads what the server has beside its apps.
func (s *Server) ReadGlobal(ctx context.Context) (err error) {
	s.Global = map[string]Report{}
	wanted := globalNouns
	if s.Plugins["letsencrypt"] {
		wanted = append(slices.Clone(wanted), "letsencrypt")
	}
	for _, noun := range wanted {
		if s.Global[noun], err = s.report(ctx, noun, "--global"); err != nil {
			return err
		}
	}
	if s.Config, err = s.config(ctx, "--global"); err != nil {
		return err
	}
	root := defaultRoot
	if len(s.Names) > 0 {
		r, err := s.report(ctx, "apps", s.Names[0])
		if err != nil {
			return err
		}
		if path.IsAbs(r["dir"]) {
			root = path.Dir(path.Clean(r["dir"]))
		}
	}
	file := path.Join(root, ".ssh", "authorized_keys")
	list, err := s.file(ctx, file)
	if err != nil {
		return err
	}
	keys, others := parseKeys(list)
	if s.Keys = keys; others > 0 {
		s.others = append(s.others, fmt.Sprintf("%s of %s that Dokku did not add %s not taken. For one that may push: dokku ssh-keys:add NAME < KEY.pub",
			wording.Plural(others, "key"), file, map[bool]string{true: "is", false: "are"}[others == 1]))
	}
	return s.credentials(ctx, root)
}

// file reads a file; "" if there is none.
func (s *Server) file(ctx context.Context, name string) (string, error) {
	text, err := output(ctx, s.Host, "cat", "--", name)
	var failed *Failed
	if errors.As(err, &failed) {
		return "", nil
	}
	return text, err
}

var keyName = regexp.MustCompile(`NAME=\\?"([^"\\]*)\\?"`)

// parseKeys reads authorized_keys as Dokku writes it: command="FINGERPRINT=... NAME=\"ann\" ..."
// others is the number of keys that Dokku did not write.
func parseKeys(text string) (keys []Key, others int) {
	for line := range strings.Lines(text) {
		key, _, options, _, err := ssh.ParseAuthorizedKey([]byte(line))
		if err != nil {
			continue // a comment
		}
		name := keyName.FindStringSubmatch(strings.Join(options, ","))
		if name == nil {
			others++
			continue
		}
		keys = append(keys, Key{Name: name[1], Text: string(ssh.MarshalAuthorizedKey(key))})
	}
	return keys, others
}

// Read reads an app, without its history.
func (s *Server) Read(ctx context.Context, name string) (*App, error) {
	if err := app.ValidName(name); err != nil {
		return nil, fmt.Errorf("cannot import %s: %w", event.OneLine(name), err)
	}
	if !slices.Contains(s.Names, name) {
		return nil, fmt.Errorf("cannot import %s: %s has no such app", name, s.Host)
	}
	a := &App{Name: name, Reports: map[string]Report{}}
	wanted := slices.Clone(nouns)
	for _, noun := range pluginNouns {
		if s.Plugins[noun] {
			wanted = append(wanted, noun)
		}
	}
	var err error
	for _, noun := range wanted {
		if a.Reports[noun], err = s.report(ctx, noun, name); err != nil {
			return nil, err
		}
	}
	if a.Config, err = s.config(ctx, name); err != nil {
		return nil, err
	}
	a.Dir = path.Join(defaultRoot, name)
	if dir := a.Reports["apps"]["dir"]; path.IsAbs(dir) {
		a.Dir = path.Clean(dir)
	}
	for _, read := range []func(context.Context, *App) error{s.state, s.ports, s.scale, s.mounts, s.certificate, s.beside, s.own, s.registry, s.tip} {
		if err := read(ctx, a); err != nil {
			return nil, err
		}
	}
	return a, nil
}
