package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/keys"
	"dokku/agent/services"
	"dokku/agent/sources"
	"dokku/agent/text"
)

// A Mover puts right here what differs from a Dokku server.
type Mover struct {
	From *Server
	Here *agent.Server
	// Run runs a command of this program and returns its standard output. The error is what
	// the command would print.
	Run func(ctx context.Context, words []string, stdin string) (string, error)
	// Scratch runs it on an empty server with the settings of this one, where a plan makes
	// an app to see what it would have.
	Scratch  func(ctx context.Context, words []string, stdin string) (string, error)
	Importer *sources.Importer
	Log      event.Log
	// Plan: only print what would be done.
	Plan bool
	// SkipDeploy: bring history and settings, and deploy nothing.
	SkipDeploy bool
	// Again names the services whose data are loaded over those that they have here.
	Again map[services.Ref]bool
	// Waiting are the apps that App has not deployed, since somebody has to do something first.
	Waiting []string

	taken map[services.Ref]error // what Service has returned
}

// reported are the nouns whose reports of an app here are compared.
var reported = append([]string{"buildpacks", "docker-options", "domains", "http-auth", "maintenance", "network", "ports", "proxy", "redirect", "resource"}, propertyNouns...)

// App imports an app. archive is the file of its repository's tar, as Archive writes it. The
// error names all that keeps the app from being here what it is there.
func (m *Mover) App(ctx context.Context, a *App, archive string) error {
	log := m.Log.WithApp(a.Name)
	exists, err := m.exists(a.Name)
	if err != nil {
		return err
	}
	log.Result("Importing %s from %s", a.Name, m.From.Host)
	h := sources.History{Tar: archive, Branch: a.Branch, Commit: a.Tip, From: m.From.Host.String() + ":" + a.Dir}
	relation := sources.Behind
	if exists && a.Tip != "" {
		if relation, err = m.Importer.Compare(a.Name, h); err != nil {
			return err
		}
	}
	if !exists {
		log.Detail("dokku apps:create %s", a.Name)
	}
	if !exists && !m.Plan {
		if err := m.Here.CreateMoved(ctx, a.Name, a.state.Isolation); err != nil {
			return err
		}
	}
	have, err := m.have(ctx, a, exists || !m.Plan)
	if err != nil {
		return err
	}
	plan := a.Plan(have)
	done, failed, err := m.steps(ctx, plan, log)
	if err != nil {
		return err
	}
	keeps := plan.Blocked != "" || slices.ContainsFunc(failed, func(s Step) bool { return s.Needed })
	if keeps { // what else there is to do, so that one more run is enough
		for _, n := range append(plan.Notes, plan.Missing...) {
			log.Warn("%s: %s", a.Name, n)
		}
	}
	if plan.Blocked != "" {
		return fmt.Errorf("%s is not imported: %s", a.Name, plan.Blocked)
	}
	if keeps {
		return fmt.Errorf("%s is not imported: put right what failed, then run the import again", a.Name)
	}
	missing, err := m.files(ctx, a)
	if err != nil {
		return err
	}
	plan.Missing = append(plan.Missing, missing...)
	suspended, err := m.suspend(ctx, a, log)
	if err != nil {
		return err
	}
	copied, left, err := m.nginx(ctx, a, log)
	if err != nil {
		return err
	}
	plan.Notes = append(plan.Notes, left...)
	moved, err := m.bring(ctx, a, h, relation, plan, log)
	done += suspended + copied
	if err == nil {
		var locked int
		var unlocked []Step
		locked, unlocked, err = m.lock(ctx, a, log)
		done, failed = done+locked, append(failed, unlocked...)
	}
	for _, n := range plan.Notes {
		log.Warn("%s: %s", a.Name, n)
	}
	switch {
	case err != nil:
		return err
	case len(failed) > 0:
		return fmt.Errorf("%s is not imported completely: %s failed", a.Name, text.Plural(len(failed), "command"))
	case exists && !moved && done == 0:
		log.Step("%s is unchanged", a.Name)
	}
	return nil
}

func (m *Mover) exists(name string) (bool, error) {
	_, err := m.Here.Load(name)
	var none *app.NoAppError
	if errors.As(err, &none) {
		return false, nil
	}
	return err == nil, err
}

// steps carries out a plan's commands, and counts those that are done, or would be. A setting
// that is refused is left out, with a warning. An error with a cause is a failure, and so is
// each of a command without which the app must not run.
func (m *Mover) steps(ctx context.Context, plan Plan, log event.Log) (done int, failed []Step, _ error) {
	for _, s := range plan.Steps {
		var err error
		if !m.Plan {
			_, err = m.Run(ctx, s.Words, s.Stdin)
		}
		switch {
		case ctx.Err() != nil:
			return done, failed, context.Cause(ctx)
		case err == nil:
			done++
			log.Detail("dokku %s", s)
		case s.Needed || errors.Unwrap(err) != nil:
			failed = append(failed, s)
			log.Warn("Cannot run dokku %s: %s", s, err)
		default:
			log.Warn("Left out: dokku %s: %s", s, err)
		}
	}
	return done, failed, nil
}

// bring brings the history and deploys it. moved reports whether it did, or would.
func (m *Mover) bring(ctx context.Context, a *App, h sources.History, relation sources.Relation, plan Plan, log event.Log) (moved bool, err error) {
	if a.Tip == "" {
		log.Detail("%s has nothing to deploy: it was never pushed", a.Name)
		return false, nil
	}
	if relation == sources.Ahead {
		log.Detail("%s has a later version here than there", a.Name)
		return false, nil
	}
	v, err := m.current(a.Name)
	if err != nil {
		return false, err
	}
	if relation == sources.Same && v != nil {
		return false, nil
	}
	h.Deploy = !m.SkipDeploy
	why := ""
	switch {
	case v != nil:
		// It runs here: its folders and services are those of this server.
	case len(plan.Missing) > 0:
		h.Deploy = false
		m.Waiting = append(m.Waiting, a.Name)
		why = "is not deployed yet:\n" + strings.Join(plan.Missing, "\n") + "\nThen run the import again"
	case a.stopped():
		h.Deploy = false
		why = "is not deployed, since it is stopped there. To deploy it: dokku ps:rebuild " + a.Name
	}
	if moved = h.Deploy || relation != sources.Same; moved {
		log.Detail("%s %s of %s", map[bool]string{true: "deploy", false: "bring"}[h.Deploy], a.Tip[:7], a.Branch)
	}
	if moved && !m.Plan {
		if err := m.ranOnce(ctx, a); err != nil {
			return false, err
		}
		err = m.Importer.Bring(ctx, a.Name, h, log)
	}
	if image := a.Reports["git"]["source-image"]; err != nil && image != "" && ctx.Err() == nil {
		log.Warn("%s is built on the image %s. If no registry has it: ssh %s docker save %[2]s | docker load, then run the import again", a.Name, quoted(image), m.From.Host)
	}
	if err != nil {
		return moved, err
	}
	if why != "" {
		log.Warn("%s %s", a.Name, why)
	}
	if moved && h.Deploy && !m.Plan {
		err = m.counts(a, log)
	}
	return moved, err
}

// ranOnce records that app.json's script for the first deploy has run: on the old server.
func (m *Mover) ranOnce(ctx context.Context, a *App) error {
	here, err := m.Here.Load(a.Name)
	if err != nil || here.State.FirstScriptRan || a.Reports["ps"]["deployed"] != "true" {
		return err
	}
	return m.Here.Update(ctx, a.Name, deploy.Op{Name: "import"}, event.Log{}, func(st *app.State) error {
		st.FirstScriptRan = true
		return nil
	})
}

// current is the app's release here; nil for none, or no app.
func (m *Mover) current(name string) (*app.Release, error) {
	a, err := m.Here.Load(name)
	var none *app.NoAppError
	if errors.As(err, &none) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a.Current, nil
}

// have reads what this server has of an app.
func (m *Mover) have(ctx context.Context, a *App, exists bool) (Have, error) {
	h := Have{Reports: map[string]Report{}, Config: map[string]string{}, Scale: map[string]string{}, Services: m.servicesFor(a), Links: map[services.Ref]bool{}}
	all, err := keys.Granted(m.Here.Env.Store.Root)
	if err != nil {
		return h, err
	}
	for _, k := range all {
		if slices.Contains(k.Grant.Apps, a.Name) {
			h.Allowed = append(h.Allowed, k.Name)
		}
	}
	run := m.Run
	if !exists {
		run = m.Scratch
		if _, err := run(ctx, []string{"apps:create", a.Name}, ""); err != nil {
			return h, err
		}
	}
	if a.joins() {
		var list string
		if list, err = m.Run(ctx, []string{"network:list"}, ""); err != nil {
			return h, err
		}
		h.Networks = lines(list)
	}
	if err := m.foreign(ctx, a, &h); err != nil {
		return h, err
	}
	for _, noun := range reported {
		if h.Reports[noun], err = report(ctx, run, noun, a.Name); err != nil {
			return h, err
		}
	}
	if !exists {
		return h, nil
	}
	if h.Config, err = m.config(ctx, a.Name); err != nil {
		return h, err
	}
	here, err := m.Here.Load(a.Name)
	if err != nil {
		return h, err
	}
	for typ, count := range here.State.Asked() {
		h.Scale[typ] = strconv.Itoa(count)
	}
	h.Mounts = here.State.Mounts
	if h.Logins, err = m.Importer.Logins(a.Name); err != nil {
		return h, err
	}
	for _, l := range here.State.Links {
		h.Links[services.Ref{Kind: l.Kind, Name: l.Name}] = true
	}
	h.Issued = len(here.State.Issued) > 0
	if here.State.Certificate != nil {
		p, err := m.Here.CertificateOf(a.Name, here.State.Certificate)
		if err != nil {
			return h, err
		}
		h.Certificate = string(p.Chain)
	}
	return h, nil
}

// report reads this server's own report, of an app or "--global".
func report(ctx context.Context, run func(context.Context, []string, string) (string, error), noun, of string) (Report, error) {
	out, err := run(ctx, []string{noun + ":report", of, "--format", "json"}, "")
	if err != nil {
		return nil, err
	}
	return ParseReport(noun, out)
}

func (m *Mover) config(ctx context.Context, of string) (config map[string]string, err error) {
	out, err := m.Run(ctx, []string{"config:export", of, "--format", "json"}, "")
	if err == nil {
		err = json.Unmarshal([]byte(out), &config)
	}
	return config, err
}

// Global imports what the server has beside its apps: the config, domains and properties of
// all apps, and the ssh keys.
func (m *Mover) Global(ctx context.Context) error {
	m.Log.Result("Importing settings and ssh keys from %s (Dokku %s)", m.From.Host, m.From.Version)
	p := planning{have: Have{Services: m.servicesFor(nil)}}
	var err error
	if p.have.Config, err = m.config(ctx, "--global"); err != nil {
		return err
	}
	p.config(m.From.Config)
	for _, noun := range append(slices.Clone(propertyNouns), "buildpacks", "network", "domains") {
		here, err := report(ctx, m.Run, noun, "--global")
		if err != nil {
			return err
		}
		p.global(noun, m.From.Global[noun], here)
	}
	logins, err := m.Importer.Logins("")
	if err := errors.Join(err, m.keys(ctx, &p), m.auth(&p)); err != nil {
		return err
	}
	p.logins(m.From.docker, logins)
	plan := Plan{Steps: p.steps, Notes: append(p.notes, p.missing...)}
	done, failed, err := m.steps(ctx, plan, m.Log)
	if err != nil {
		return err
	}
	for _, n := range append(plan.Notes, m.From.others...) {
		m.Log.Warn("%s", n)
	}
	switch {
	case len(failed) > 0:
		return fmt.Errorf("the settings are not imported completely: %s failed", text.Plural(len(failed), "command"))
	case done == 0:
		m.Log.Step("Settings and ssh keys are unchanged")
	}
	return nil
}

// global sets the server's values of a noun that differ.
func (p *planning) global(noun string, there, here Report) {
	if noun == "domains" {
		if want := there["global-vhosts"]; want != "" && !slices.Equal(sortedWords(want), sortedWords(here["global-vhosts"])) {
			p.do(append([]string{"domains:set-global"}, strings.Fields(want)...)...)
		}
		return
	}
	for _, name := range slices.Sorted(maps.Keys(there)) {
		value := there[name]
		bare, ok := strings.CutPrefix(name, "global-")
		if !ok || value == "" || value == here[name] {
			continue
		}
		if _, known := here[name]; !known {
			p.note("%s:set --global %s %s has no equal here", noun, bare, quoted(value))
			continue
		}
		p.steps = append(p.steps, Step{Words: []string{noun + ":set", "--global", "--", bare, value}})
	}
}

// keys adds the ssh keys that are missing, by what they are and not by name.
func (m *Mover) keys(ctx context.Context, p *planning) error {
	held, err := os.ReadFile(path.Join(m.Here.Env.Store.Root, ".ssh", "authorized_keys"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, k := range m.From.Keys {
		if !strings.Contains(string(held), strings.TrimSpace(k.Text)) {
			p.steps = append(p.steps, Step{Words: []string{"ssh-keys:add", "--", k.Name}, Stdin: k.Text, Shown: "ssh-keys:add " + quoted(k.Name)})
		}
	}
	return nil
}
