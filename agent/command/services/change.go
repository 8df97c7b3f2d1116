package services

import (
	"slices"
	"strconv"
	"strings"

	"dokku/agent"
	"dokku/agent/command/cli"
	"dokku/agent/command/run"
	"dokku/agent/event"
	"dokku/agent/services"
)

// options reads the flags of a container.
func options(c *cli.Call) (o services.Options, err error) {
	o = services.Options{Image: c.Value("image"), Version: c.Value("image-version"), ShmSize: c.Value("shm-size"),
		Password: c.Value("password"), RootPassword: c.Value("root-password"), Kept: c.Flag("keep-data")}
	if c.Changed("custom-env") {
		o.Env = new(c.Value("custom-env"))
	}
	if c.Changed("config-options") {
		o.Config = new(c.Value("config-options"))
	}
	if m := c.Value("memory"); m != "" {
		if o.Memory, err = strconv.Atoi(m); err != nil || o.Memory < 1 {
			return o, cli.Refuse("Invalid value %q for --memory: give a number of megabytes", event.OneLine(m))
		}
	}
	for _, name := range services.Properties {
		if c.Changed(name) {
			if err := checkNetworks(c, c.Value(name)); err != nil {
				return o, err
			}
			if o.Properties == nil {
				o.Properties = map[string]string{}
			}
			o.Properties[name] = c.Value(name)
		}
	}
	for _, name := range []string{"password", "root-password"} {
		if strings.ContainsAny(c.Value(name), "\x00\n\r:@/?#%\"'$`\\ ") {
			return o, cli.Refuse("Invalid value for --%s: it becomes a part of the URL, and must not have spaces, quotes or any of : @ / ? # %% $ \\", name)
		}
	}
	if c.Value("password") != "" {
		c.Warn("Specified password may not be as secure as the auto-generated password")
	}
	if c.Value("root-password") != "" {
		c.Warn("Specified root password may not be as secure as the auto-generated password")
	}
	return o, nil
}

// checkNetworks checks the value of a property.
func checkNetworks(c *cli.Call, value string) error {
	if value == "" {
		return nil
	}
	list := strings.Split(value, ",")
	for _, name := range list {
		if err := agent.ValidNetworkName(name); err != nil {
			return cli.Refuse("Invalid network name specified: %s", err)
		}
	}
	return c.Server.Joinable(c.Ctx, list)
}

func create(c *cli.Call, k services.Kind) error {
	if c.Args[0] == "" {
		return cli.Refuse(noName)
	}
	o, err := options(c)
	if err != nil {
		return err
	}
	fromEnvironment(c, k, &o)
	m, err := c.Server.Services()
	if err != nil {
		return err
	}
	s, err := m.Create(c.Ctx, k, c.Args[0], o, c.Events())
	if err != nil {
		return err
	}
	return created(c, k, s)
}

// created says that a service is there, and how to reach it.
func created(c *cli.Call, k services.Kind, s *services.Service) error {
	c.Heading("%s container created: %s", k.Title, s.Name)
	values, err := describe(c, k, s, true)
	if err != nil {
		return err
	}
	printInfo(c, k, s, values)
	return nil
}

func clone(c *cli.Call, k services.Kind) error {
	from, err := find(c, k)
	if err != nil {
		return err
	}
	o, err := options(c)
	if err != nil {
		return err
	}
	m, err := c.Server.Services()
	if err != nil {
		return err
	}
	if _, err := m.Load(k, c.Args[1]); err == nil {
		return cli.Refuse("Invalid service name %s. Verify the service name is not already in use.", c.Args[1])
	}
	c.Events().Result("Cloning %s to %s", from.Name, c.Args[1])
	s, err := m.Clone(c.Ctx, k, from.Name, c.Args[1], o, c.Events())
	if err != nil {
		return err
	}
	if err := created(c, k, s); err != nil {
		return err
	}
	c.Events().Result("Done")
	return nil
}

func destroy(c *cli.Call, k services.Kind) error {
	name, keep := c.Args[0], c.Flag("keep-data")
	if name == "" {
		return cli.Refuse(noName)
	}
	m, err := c.Server.Services()
	if err != nil {
		return err
	}
	volume, err := m.Volume(k, name)
	if err != nil {
		return err
	}
	apps, err := c.Server.LinkedApps(services.Ref{Kind: k.Name, Name: name})
	if err == nil && len(apps) == 0 && !c.Force && !c.Flag("force") {
		about := name + " " + k.Title + " service"
		switch {
		case volume != "" && keep:
			about += "; its data stay in the volume " + volume
		case volume != "":
			proven, perr := lastProven(c, k, &services.Service{Kind: k.Name, Name: name})
			if perr != nil {
				return perr
			}
			about += " with all data, the volume " + volume
			if former := m.Former(k, name); former != nil {
				about += " and the former data, the volume " + former.Container.Volume + " of " + former.Container.Image
			}
			about += ", of which "
			if proven == "" {
				about += "no backup is known"
			} else {
				about += "the last proven backup is " + proven
			}
		}
		err = c.Confirm(name, about)
	}
	if err != nil {
		return err
	}
	if len(apps) == 0 {
		c.Events().Result("Deleting %s", name)
	}
	if err := m.Destroy(c.Ctx, k, name, keep, c.Server.LinkedApps, c.Events()); err != nil {
		return err
	}
	if keep && volume != "" {
		c.Events().Detail("The data stay in the volume %s; to take them up again: dokku %s:create %s --keep-data", volume, k.Name, name)
	}
	c.Heading("%s container deleted: %s", k.Title, name)
	return nil
}

// change runs an operation on the service that the first word names.
func change(c *cli.Call, k services.Kind, do func(*services.Manager, *services.Service) error) error {
	s, err := find(c, k)
	if err != nil {
		return err
	}
	m, err := c.Server.Services()
	if err != nil {
		return err
	}
	return do(m, s)
}

func start(c *cli.Call, k services.Kind) error {
	return change(c, k, func(m *services.Manager, s *services.Service) error { return m.Start(c.Ctx, k, s.Name, c.Events()) })
}

func stop(c *cli.Call, k services.Kind) error {
	return change(c, k, func(m *services.Manager, s *services.Service) error { return m.Stop(c.Ctx, k, s.Name, c.Events()) })
}

func pause(c *cli.Call, k services.Kind) error {
	return change(c, k, func(m *services.Manager, s *services.Service) error { return m.Pause(c.Ctx, k, s.Name, c.Events()) })
}

func restart(c *cli.Call, k services.Kind) error {
	return change(c, k, func(m *services.Manager, s *services.Service) error {
		err := m.Restart(c.Ctx, k, s.Name, c.Events())
		if err == nil {
			c.Events().Step("Please call dokku ps:restart on all linked apps")
		}
		return err
	})
}

func expose(c *cli.Call, k services.Kind) error {
	return change(c, k, func(m *services.Manager, s *services.Service) error {
		return m.Expose(c.Ctx, k, s.Name, c.Args[1:], c.Events())
	})
}

func unexpose(c *cli.Call, k services.Kind) error {
	return change(c, k, func(m *services.Manager, s *services.Service) error { return m.Unexpose(c.Ctx, k, s.Name, c.Events()) })
}

func isolate(c *cli.Call, k services.Kind) error {
	on := !c.Flag("off")
	return change(c, k, func(m *services.Manager, s *services.Service) error {
		if !on && c.Env.User != "" {
			return cli.Refuse("%s:isolate --off gives %s rights over the server: run it there, not over ssh", k.Name, s.Name)
		}
		return m.Isolate(c.Ctx, k, s.Name, on, c.Events())
	})
}

func set(c *cli.Call, k services.Kind) error {
	key, value := c.Args[1], strings.Join(c.Args[2:], " ")
	return change(c, k, func(m *services.Manager, s *services.Service) error {
		switch {
		case key == "":
			return cli.Refuse("No key specified")
		case !slices.Contains(services.Properties, key):
			return cli.Refuse("Invalid key specified, valid keys include: %s", strings.Join(services.Properties, ", "))
		}
		if err := checkNetworks(c, value); err != nil {
			return err
		}
		if value == "" {
			c.Events().Result("Unsetting %s", key)
		} else {
			c.Events().Result("Setting %s to %s", key, value)
		}
		return m.Set(c.Ctx, k, s.Name, key, value, c.Events())
	})
}

// announce prints what a link changes, as config:set does.
func announce(c *cli.Call) func(map[string]string, []string) {
	return func(set map[string]string, unset []string) {
		if len(set) > 0 {
			c.Events().Step("Setting config vars")
		}
		for _, name := range cli.Sorted(keys(set)) {
			c.Private().Value("%s:  %s", name, set[name])
		}
		for _, name := range unset {
			c.Events().Step("Unsetting %s", name)
		}
	}
}

func keys(m map[string]string) (list []string) {
	for name := range m {
		list = append(list, name)
	}
	return list
}

func link(c *cli.Call, k services.Kind) error {
	a, err := pick(c)
	if err != nil {
		return err
	}
	s, err := find(c, k)
	if err != nil {
		return err
	}
	alias := strings.TrimSuffix(strings.ToUpper(c.Value("alias")), "_URL")
	if alias != "" {
		if err := cli.CheckKey(alias); err != nil {
			return err
		}
	}
	o := agent.LinkOptions{Alias: alias, Query: strings.TrimPrefix(c.Value("querystring"), "?"), Restart: !c.Flag("no-restart"), Announce: announce(c)}
	if err := cli.CheckValue("the querystring", o.Query); err != nil {
		return err
	}
	return skipping(c, c.Server.Link(c.Ctx, k, s.Name, a.Name, o, c.Events()))
}

// skipping says that the app goes on as it was.
func skipping(c *cli.Call, err error) error {
	if err == nil && c.Flag("no-restart") {
		c.Events().Detail("Skipping restart of linked app")
	}
	return err
}

func unlink(c *cli.Call, k services.Kind) error {
	if c.Args[0] == "" {
		return cli.Refuse(noName)
	}
	a, err := pick(c)
	if err != nil {
		return err
	}
	o := agent.LinkOptions{Restart: !c.Flag("no-restart"), Announce: announce(c)}
	return skipping(c, c.Server.Unlink(c.Ctx, k, c.Args[0], a.Name, o, c.Events()))
}

func promote(c *cli.Call, k services.Kind) error {
	s, err := find(c, k)
	if err != nil {
		return err
	}
	a, err := pick(c)
	if err != nil {
		return err
	}
	return c.Server.Promote(c.Ctx, k, s.Name, a.Name, agent.LinkOptions{Restart: true, Announce: announce(c)}, c.Events())
}

func connect(c *cli.Call, k services.Kind) error {
	m, s, i, err := running(c, k)
	if err != nil {
		return err
	}
	argv, env, err := m.Console(k, s)
	if err != nil {
		return err
	}
	return run.Attach(c, m.Host, i.ID, argv, env)
}

func enter(c *cli.Call, k services.Kind) error {
	m, _, i, err := running(c, k)
	if err != nil {
		return err
	}
	c.Events().Step("Filesystem changes may not persist after container restarts")
	argv := c.Args[1:]
	for _, shell := range []string{"/bin/bash", "/bin/sh"} {
		if len(argv) > 0 {
			break
		}
		if _, exit, err := m.Host.Exec(c.Ctx, i.ID, []string{shell, "-c", ":"}); err == nil && exit == 0 {
			argv = []string{shell}
		}
	}
	if len(argv) == 0 {
		return cli.Refuse("Cannot open a shell in %s: its image has neither /bin/bash nor /bin/sh\nTo run another command: dokku %s:enter %s COMMAND", i.Name, k.Name, c.Args[0])
	}
	return run.Attach(c, m.Host, i.ID, argv, nil)
}

func export(c *cli.Call, k services.Kind) error {
	if !k.Dumps() {
		return services.ErrNoDump
	}
	m, s, _, err := running(c, k)
	if err != nil {
		return err
	}
	if c.Env.Terminal {
		return cli.Refuse("Cannot write a dump to a terminal: use dokku %s:export %s > FILE", k.Name, s.Name)
	}
	return m.Export(c.Ctx, k, s, c.Env.Stdout)
}

func load(c *cli.Call, k services.Kind) error {
	if !k.Dumps() {
		return services.ErrNoDump
	}
	return change(c, k, func(m *services.Manager, s *services.Service) error {
		if c.Env.Stdin == nil || cli.AtTerminal(c.Env.Stdin) {
			return cli.Refuse("No data provided on stdin.")
		}
		return m.Import(c.Ctx, k, s.Name, c.Env.Stdin, c.Events())
	})
}
