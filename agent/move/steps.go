package move

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/services"
	"dokku/scale"
)

// A Step is a command of this program that puts right what differs.
type Step struct {
	Words []string
	Stdin string
	// Shown is the command as a plan prints it, without secrets; "": the words.
	Shown string
	// Needed: without it, the app must not be deployed.
	Needed bool
}

func (s Step) String() string {
	if s.Shown != "" {
		return s.Shown
	}
	var list []string
	for _, w := range s.Words {
		if w != "--" {
			list = append(list, quoted(w))
		}
	}
	return strings.Join(list, " ")
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_./:=@%+,*-]+$`)

func quoted(w string) string {
	if plain.MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

// Have is what this server has of an app, as its own reports say.
type Have struct {
	Reports map[string]Report
	Config  map[string]string
	Scale   map[string]string
	Mounts  []app.Mount
	// Certificate is the app's own chain, PEM. Issued: a CA has issued one here, which stays.
	Certificate string
	Issued      bool
	// Logins are the registries to which the app has a login of its own.
	Logins []string
	// Allowed are the keys that are for the app.
	Allowed []string
	// Networks are the names of this server's networks.
	Networks []string
	// Beside Dokku, ForeignNetworks and ForeignVolumes are those that exist here: they may be
	// Dokku's.
	ForeignNetworks []string
	ForeignVolumes  map[string]bool
	// Services are those of the old server, and Links those to which the app is linked here.
	Services []serviceHere
	Links    map[services.Ref]bool
}

// internal matches variables that Dokku itself sets or reads, and that say nothing here.
var internal = regexp.MustCompile(`^(GIT_REV|NO_VHOST|DOKKU_(APP_(TYPE|RESTORE|PROXY_TYPE|SHELL|USER)|DISABLE_PROXY|DOCKERFILE_(PORTS|START_CMD)|LETSENCRYPT_\w+|NGINX_\w+|PROXY_\w+|DISABLE_APP_AUTOCREATION|START_CMD))$`)

// propertyNouns are the nouns whose settings have NOUN:set, with these names on both sides.
var propertyNouns = []string{"app-json", "builder", "builder-dockerfile", "builder-pack", "checks", "cron", "git", "letsencrypt", "logs", "nginx", "ps", "registry", "scheduler-docker-local"}

// service matches the address of a container of Dokku's plugins for databases.
var service = regexp.MustCompile(`(?:@|//|^)dokku-([a-z]+)-([A-Za-z0-9_-]+)(?::|/|$)`)

// serviceOf returns the plugin and the service that a variable leads to; "" for none.
func serviceOf(value string) (kind, name string) {
	if m := service.FindStringSubmatch(value); m != nil {
		return m[1], m[2]
	}
	return "", ""
}

// A Plan is what has to be done for an app.
type Plan struct {
	Steps []Step
	// Notes tell what has no equal here. Missing is what somebody has to do before the app
	// can be deployed.
	Notes, Missing []string
	// Blocked: it cannot be imported now, and why.
	Blocked string
}

// Plan returns the commands after which the app is here what it is there. An app that is the
// same needs none.
func (a *App) Plan(have Have) Plan {
	p := planning{app: a.Name, have: have}
	p.config(a.Config)
	p.links(a)
	for _, noun := range append(slices.Clone(propertyNouns), "buildpacks", "network") {
		p.properties(noun, a.Name, a.Reports[noun], have.Reports[noun])
	}
	p.buildpacks(a.Reports["buildpacks"])
	p.domains(a.Reports["domains"])
	p.certificate(a)
	p.proxy(a)
	p.ports(a)
	p.checks(a.Reports["checks"])
	p.scale(a)
	p.resources(a.Reports["resource"])
	p.mounts(a.Mounts)
	p.options(a)
	p.logins(a.Docker, have.Logins)
	p.beside(a)
	p.allow(a)
	return Plan{p.steps, p.notes, p.missing, p.blocked}
}

type planning struct {
	app     string // "": the server
	have    Have
	steps   []Step
	notes   []string
	missing []string
	blocked string
}

// do adds a command without flags. What the old server says never counts as a flag.
func (p *planning) do(words ...string) {
	p.steps = append(p.steps, Step{Words: slices.Insert(words, 1, "--")})
}

func (p *planning) note(format string, args ...any) {
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// config sets the variables that differ. Those that are only here stay.
func (p *planning) config(config map[string]string) {
	words, names := []string{"config:set", "--no-restart", "--no-echo", "--", p.app}, []string{}
	target := p.app
	if target == "" {
		target = "--global"
		words = []string{"config:set", "--no-restart", "--no-echo", "--global", "--"}
	}
	for _, key := range slices.Sorted(maps.Keys(config)) {
		value, ok := p.have.Config[key]
		if internal.MatchString(key) || ok && value == config[key] {
			continue
		}
		if kind, name := serviceOf(config[key]); kind != "" {
			known, here := p.have.leadsTo(kind, name)
			switch {
			case ok: // somebody has set it to lead elsewhere
				continue
			case here && known.err == nil:
				words, names = append(words, key+"="+config[key]), append(names, key+"=...")
				continue
			case here && known.linked: // see links
			case here:
				p.missing = append(p.missing, fmt.Sprintf("%s leads to %s, whose import failed (see above)", key, known.Ref))
			default:
				p.missing = append(p.missing, fmt.Sprintf("%s leads to the service %s of the plugin %s: run that as a container of its own (README, \"A database beside the app\"), "+
					"bring its data (on the old server: dokku %[3]s:export %[2]s > %[2]s.dump), then set %[1]s (dokku config:set --no-restart %[4]s %[1]s=...)", key, name, kind, cmp.Or(p.app, "--global")))
			}
			continue
		}
		words, names = append(words, key+"="+config[key]), append(names, key+"=...")
	}
	if len(names) > 0 {
		p.steps = append(p.steps, Step{Words: words, Shown: "config:set --no-restart " + target + " " + strings.Join(names, " "), Needed: true})
	}
}

// properties sets the values of a noun that differ from what holds here.
func (p *planning) properties(noun, of string, there, here Report) {
	for _, name := range slices.Sorted(maps.Keys(there)) {
		value := there[name]
		_, known := here["computed-"+name]
		switch {
		case value == "" || strings.HasPrefix(name, "computed-") || strings.HasPrefix(name, "global-"):
		case noun == "git" && name == "source-image": // the Dockerfile of the history names it
		case value == here[name], here[name] == "" && value == here["computed-"+name]:
		case noun == "network" && p.foreign(value):
			p.note("it does not join %s, which may be Dokku's: two apps would have one name there. If no app of Dokku is in it: dokku network:set %s %s %[1]s", value, of, name)
		case known:
			if noun == "network" && strings.HasPrefix(name, "attach-") {
				p.networks(value)
			}
			p.do(noun+":set", of, name, value)
		case there.property(name):
			p.note("%s:set %s %s %s has no equal here", noun, of, name, quoted(value))
		}
	}
}

// foreign reports whether a list of networks has one that may be Dokku's.
func (p *planning) foreign(value string) bool {
	return slices.ContainsFunc(listed(value), func(name string) bool { return slices.Contains(p.have.ForeignNetworks, name) })
}

// listed splits a list of a report.
func listed(value string) []string {
	return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
}

// networks creates the networks that an app joins.
func (p *planning) networks(value string) {
	for _, name := range listed(value) {
		if !slices.Contains(p.have.Networks, name) {
			p.have.Networks = append(slices.Clone(p.have.Networks), name)
			p.do("network:create", name)
		}
	}
}

func (p *planning) buildpacks(there Report) {
	want, have := listed(there["list"]), listed(p.have.Reports["buildpacks"]["list"])
	if slices.Equal(want, have) || len(want) == 0 {
		return
	}
	if len(have) > 0 {
		p.do("buildpacks:clear", p.app)
	}
	for _, b := range want {
		p.do("buildpacks:add", p.app, b)
	}
}

func sortedWords(text string) []string {
	list := strings.Fields(text)
	slices.Sort(list)
	return slices.Compact(list)
}

func (p *planning) domains(there Report) {
	here := p.have.Reports["domains"]
	want := sortedWords(there["app-vhosts"])
	if len(want) > 0 && !slices.Equal(want, sortedWords(here["app-vhosts"])) {
		p.do(append([]string{"domains:set", p.app}, strings.Fields(there["app-vhosts"])...)...)
	}
	if there["app-enabled"] == "false" && len(want) == 0 && here["app-vhosts"] != "" {
		p.do("domains:disable", p.app)
	}
}

func (p *planning) proxy(a *App) {
	there, here := a.Reports["proxy"], p.have.Reports["proxy"]
	off := there["enabled"] == "false" || there["computed-disabled"] == "true"
	switch {
	case off && here["enabled"] != "false":
		p.do("proxy:disable", p.app)
	case !off && here["enabled"] == "false":
		p.do("proxy:enable", p.app)
	}
	for _, name := range []string{"type", "global-type", "computed-type"} {
		if kind := there[name]; kind != "" && kind != "nginx" && name != "global-type" {
			p.note("its proxy is %s there: nginx serves it here, without settings of %[1]s", kind)
			return
		}
	}
}

// ports keeps the mappings that the app has there, those that Dokku derives from the image
// too, if they are not those that it would have here.
func (p *planning) ports(a *App) {
	there := a.Reports["ports"]
	list, others := ports(there["map"])
	if there["map"] == "" {
		detected, rest := ports(there["map-detected"])
		usual := !slices.ContainsFunc(detected, func(m string) bool {
			return !strings.HasPrefix(m, "http:80:") && !strings.HasPrefix(m, "https:443:")
		})
		if others = rest; !usual {
			list = detected
		}
	}
	for _, m := range others {
		p.note("the port mapping %s is neither http nor https: publish such a port from a container of your own", m)
	}
	slices.Sort(list)
	if len(list) > 0 && !slices.Equal(list, sortedWords(p.have.Reports["ports"]["map"])) {
		p.do(append([]string{"ports:set", p.app}, list...)...)
	}
}

// checks switches zero downtime off for the types for which it is off there.
func (p *planning) checks(there Report) {
	for _, list := range []string{"disabled-list", "skipped-list"} {
		verb := map[string]string{"disabled-list": "checks:disable", "skipped-list": "checks:skip"}[list]
		want := strings.ReplaceAll(there[list], " ", "")
		switch {
		case want == "" || want == "none" || want == strings.ReplaceAll(p.have.Reports["checks"][list], " ", ""):
		case want == "_all_":
			p.do(verb, p.app)
		default:
			p.do(verb, p.app, want)
		}
	}
}

func (p *planning) scale(a *App) {
	if a.Reports["ps"]["can-scale"] == "false" || a.Reports["ps"]["ps-can-scale"] == "false" {
		return // the repository brings it
	}
	words := []string{"ps:scale", p.app}
	for _, typ := range slices.Sorted(maps.Keys(a.Scale)) {
		if count, ok := p.have.Scale[typ]; count != a.Scale[typ] && (ok || a.Scale[typ] != "0" || typ == scale.Web) {
			words = append(words, typ+"="+a.Scale[typ])
		}
	}
	if len(words) > 2 {
		p.do(words...)
	}
}

// resourceKey matches TYPE.limit.memory, and as the text of a report has it.
var resourceKey = regexp.MustCompile(`^(.+)[.-](limit|reserve)[.-](.+)$`)

func (p *planning) resources(there Report) {
	for _, key := range slices.Sorted(maps.Keys(there)) {
		m := resourceKey.FindStringSubmatch(key)
		if m == nil || there[key] == "" || there[key] == p.have.Reports["resource"][m[1]+"."+m[2]+"."+m[3]] {
			continue
		}
		words := []string{"resource:" + m[2], "--" + m[3], there[key]}
		if m[1] != "_default_" {
			words = append(words, "--process-type", m[1])
		}
		p.steps = append(p.steps, Step{Words: append(words, "--", p.app)})
	}
}

// mounts mounts what is missing. What somebody has mounted here at the same place of the
// container stays: a folder outside of the data root has to be another one here.
func (p *planning) mounts(mounts []Mount) {
	for _, m := range mounts {
		switch {
		case slices.ContainsFunc(p.have.Mounts, func(have app.Mount) bool { return have.Target == path.Clean(m.Target) }):
		case p.have.ForeignVolumes[m.Source]:
			p.missing = append(p.missing, fmt.Sprintf("the volume %s may be Dokku's. Copy its files to another one, and mount that: dokku storage:mount %s COPY:%s", m.Source, p.app, m.Target))
		default:
			p.steps = append(p.steps, Step{Words: []string{"storage:mount", "--", p.app, m.String()}, Needed: true})
		}
	}
}

// options adds the docker options that are missing. Older versions keep mounts and the
// restart policy among them.
func (p *planning) options(a *App) {
	for _, phase := range []string{"build", "deploy", "run"} {
		have := options(p.have.Reports["docker-options"][phase])
		for _, o := range options(a.Reports["docker-options"][phase]) {
			text := strings.Join(o, " ")
			switch name, value, _ := strings.Cut(strings.ReplaceAll(text, "=", " "), " "); {
			case name == "--restart":
				continue
			case name == "--link" && p.ofService(value):
				continue // a link of a plugin, which is not made by an option here
			case name == "-v" || name == "--volume":
				if slices.ContainsFunc(a.Mounts, func(m Mount) bool { return value == m.String() || value == m.Source+":"+m.Target }) {
					continue
				}
			}
			if !slices.ContainsFunc(have, func(h []string) bool { return same(h, o) }) {
				p.steps = append(p.steps, Step{Words: append([]string{"docker-options:add", p.app, phase}, o...)})
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(a.Reports["docker-options"])) {
		text := a.Reports["docker-options"][key]
		if typ, ok := strings.CutPrefix(key, "deploy."); ok && text != p.have.Reports["docker-options"][key] {
			for _, o := range options(text) {
				p.steps = append(p.steps, Step{Words: append([]string{"docker-options:add", "--process", typ, p.app, "deploy"}, o...)})
			}
		}
	}
}

// ofService reports whether the value of --link is a service's container: Dokku's plugins link
// apps so.
func (p *planning) ofService(value string) bool {
	name, _, _ := strings.Cut(value, ":")
	return slices.ContainsFunc(p.have.Services, func(s serviceHere) bool { return s.ContainerName() == name })
}

// same compares two options, "--ulimit nofile=1" with "--ulimit=nofile=1" too.
func same(a, b []string) bool {
	normal := func(o []string) string { return strings.Replace(strings.Join(o, " "), "=", " ", 1) }
	return strings.Join(a, " ") == strings.Join(b, " ") || normal(a) == normal(b)
}
