package services

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/services"
)

// infoKeys are the values of info, in the order of Dokku's plugins, and after them ours.
var infoKeys = []struct{ name, about string }{
	{"config-dir", "folder of the service's configuration"},
	{"config-options", "arguments of the server"},
	{"data-dir", "volume of the data"},
	{"dsn", "URL"},
	{"exposed-ports", "ports of the server at which it is reached"},
	{"id", "id of the container"},
	{"internal-ip", "address of the container"},
	{"initial-network", "networks that it joins"},
	{"last-proven-backup", "the last backup that was loaded again and read back"},
	{"links", "apps that are linked to it"},
	{"post-create-network", "further networks that it joins"},
	{"post-start-network", "further networks that it joins"},
	{"previous-data", "volume of the data before the last copy, its image, and when it was left"},
	{"service-root", "folder of the service's record"},
	{"status", "state of the container"},
	{"version", "image"},
}

func infoFlags(f *pflag.FlagSet) {
	cli.FormatFlag(f)
	for _, k := range infoKeys {
		f.Bool(k.name, false, "only: "+k.about)
	}
}

// find returns the service that the first word names.
func find(c *cli.Call, k services.Kind) (*services.Service, error) {
	if c.Args[0] == "" {
		return nil, cli.Refuse(noName)
	}
	return manager(c).Load(k, c.Args[0])
}

func info(c *cli.Call, k services.Kind) error {
	if err := cli.OneOf("format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	s, err := find(c, k)
	if err != nil {
		return err
	}
	var only []string
	for _, key := range infoKeys {
		if c.Flag(key.name) {
			only = append(only, key.name)
		}
	}
	if len(only) > 1 {
		return cli.Refuse("%s:info command allows only a single flag", k.Name)
	}
	values, err := describe(c, k, s, len(only) == 0 || slices.Contains(ofContainer, only[0]))
	if err != nil {
		return err
	}
	switch {
	case len(only) == 1:
		c.Print("%s\n", values[only[0]])
		return nil
	case c.Value("format") == "json":
		if !s.Importing.IsZero() {
			values["importing"] = s.Importing.Format(time.RFC3339)
		}
		return printJSON(c, values)
	}
	printInfo(c, k, s, values)
	return nil
}

// printInfo prints the values of info as Dokku's plugins do.
func printInfo(c *cli.Call, k services.Kind, s *services.Service, values map[string]string) {
	if c.Headings() {
		c.Heading("%s %s service information", s.Name, k.Name)
	}
	for _, key := range infoKeys {
		if (key.name == "last-proven-backup" || key.name == "previous-data") && values[key.name] == "" {
			continue // clients of the plugins do not know it
		}
		label := strings.ReplaceAll(key.name, "-", " ") + ":"
		line := strings.ToUpper(label[:1]) + label[1:]
		c.Print("       %-20s %s\n", line, cli.VisibleValue(values[key.name]))
	}
	if !s.Importing.IsZero() {
		c.Warn("An import that began at %s has not ended well: a part of it may have been loaded", s.Importing.Format(time.RFC3339))
	}
}

// ofContainer are the values of info that only the engine knows.
var ofContainer = []string{"id", "internal-ip", "status"}

// describe returns the values of info, with those of the container only if asked is set.
func describe(c *cli.Call, k services.Kind, s *services.Service, asked bool) (map[string]string, error) {
	m := manager(c)
	apps, err := c.Server.LinkedApps(s.Ref())
	if err != nil {
		return nil, err
	}
	values := map[string]string{"config-dir": m.ConfigDir(s.Ref()), "config-options": s.Container.Options, "data-dir": s.Container.Volume,
		"dsn": m.URL(k, s, ""), "exposed-ports": k.Exposed(s), "links": strings.Join(apps, " "), "service-root": m.Root(s.Ref()),
		"status": "missing", "version": s.Container.Image, "id": "", "internal-ip": ""}
	if len(apps) == 0 {
		values["links"] = "-"
	}
	for _, name := range services.Properties {
		values[name] = s.Properties[name]
	}
	if values["last-proven-backup"], err = lastProven(c, k, s); err != nil {
		return nil, err
	}
	if p := s.Previous; p != nil {
		values["previous-data"] = fmt.Sprintf("%s (%s, until %s)", p.Container.Volume, p.Container.Image, p.Since.Format(time.RFC3339))
	}
	if !asked {
		return values, nil
	}
	m, err = c.Server.Services()
	if err != nil {
		return nil, err
	}
	i, ok, err := m.Instance(c.Ctx, s)
	switch {
	case errors.Is(err, engine.ErrUnreachable):
		values["status"] = "unknown"
		c.Warn("%s", err)
	case err != nil:
		return nil, err
	case ok:
		values["status"], values["id"] = string(i.Status), i.ID
		if i.Address.IsValid() {
			values["internal-ip"] = i.Address.String()
		}
	}
	return values, nil
}

func exists(c *cli.Call, k services.Kind) error {
	s, err := find(c, k)
	if err != nil {
		return err
	}
	c.Events().Step("Service %s exists", s.Name)
	return nil
}

func list(c *cli.Call, k services.Kind) error {
	all, err := manager(c).List(k)
	if err != nil {
		return err
	}
	names := []string{}
	for _, s := range all {
		if c.Admin() || c.Env.Access.Grant.Serves(k.Name, s.Name) {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 && c.Value("format") == "stdout" {
		c.Warn("There are no %s services", k.Title)
		return nil
	}
	return printList(c, names, k.Title+" services")
}

// printList prints a list of names with a heading, or as JSON.
func printList(c *cli.Call, names []string, heading string) error {
	if err := cli.OneOf("format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	if c.Value("format") == "json" {
		return printJSON(c, append([]string{}, names...)) // never null
	}
	if heading != "" && c.Headings() {
		c.Heading("%s", heading)
	}
	for _, name := range names {
		c.Print("%s\n", name)
	}
	return nil
}

func printJSON(c *cli.Call, v any) error {
	e := json.NewEncoder(c.Env.Stdout)
	e.SetEscapeHTML(false) // ports have a >
	return e.Encode(v)
}

func links(c *cli.Call, k services.Kind) error {
	s, err := find(c, k)
	if err != nil {
		return err
	}
	apps, err := c.Server.LinkedApps(s.Ref())
	if err != nil {
		return err
	}
	return printList(c, apps, "")
}

func appLinks(c *cli.Call, k services.Kind) error {
	var names []string
	for _, link := range c.App.State.Links {
		if link.Kind == k.Name {
			names = append(names, link.Name)
		}
	}
	slices.Sort(names)
	return printList(c, names, "")
}

// pick returns the app that the second word names.
func pick(c *cli.Call) (*app.App, error) {
	if c.Args[1] == "" {
		return nil, cli.ErrNoApp
	}
	return c.Server.Env.Store.Load(c.Args[1])
}

func linked(c *cli.Call, k services.Kind) error {
	a, err := pick(c)
	if err != nil {
		return err
	}
	s, err := find(c, k)
	if err != nil {
		return err
	}
	v, err := c.View(a)
	if err != nil {
		return err
	}
	if !s.Ref().Linked(&a.State) && len(agent.ServiceVariables(manager(c), k, s, v.Config())) == 0 {
		c.Warn("Service %s is not linked to %s", s.Name, a.Name)
		return cli.ErrSilent
	}
	c.Events().Step("Service %s is linked to %s", s.Name, a.Name)
	return nil
}

// running returns the service that the first word names, and its running container.
func running(c *cli.Call, k services.Kind) (*services.Manager, *services.Service, engine.Instance, error) {
	s, err := find(c, k)
	if err != nil {
		return nil, nil, engine.Instance{}, err
	}
	m, err := c.Server.Services()
	if err != nil {
		return nil, nil, engine.Instance{}, err
	}
	i, err := m.Running(c.Ctx, s)
	return m, s, i, err
}

func logs(c *cli.Call, k services.Kind) error {
	lines := 0
	if len(c.Args) > 1 && c.Args[1] != "all" {
		n, err := strconv.Atoi(c.Args[1])
		if err != nil || n < 1 {
			return cli.Refuse("Invalid number of lines %q: give a number, or all", event.OneLine(c.Args[1]))
		}
		lines = n
	}
	s, err := find(c, k)
	if err != nil {
		return err
	}
	m, err := c.Server.Services()
	if err != nil {
		return err
	}
	i, ok, err := m.Instance(c.Ctx, s)
	switch {
	case err != nil:
		return err
	case !ok:
		return cli.Refuse("Service container does not exist: start it with dokku %s:start %s", k.Name, s.Name)
	case !i.Running():
		c.Warn("Service logs may not be output as service is not running")
	}
	out := &event.Lines{Line: func(line string) { c.Print("%s\n", event.Printable(line)) }}
	err = m.Host.Logs(c.Ctx, i.ID, engine.LogOptions{Tail: lines, Follow: c.Flag("tail")}, out)
	out.Flush()
	if c.Flag("tail") && errors.Is(c.Ctx.Err(), context.Canceled) {
		return nil // the client has gone, which is the normal end
	}
	return err
}
