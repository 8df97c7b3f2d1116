package services

import (
	"dokku/agent/command/cli"
	"dokku/agent/services"
)

func upgrade(c *cli.Call, k services.Kind) error {
	back, forget := c.Flag("back"), c.Flag("forget")
	if back && forget {
		return cli.Refuse("Give one of --back and --forget")
	}
	for _, name := range imageFlagNames {
		if (back || forget) && c.Changed(name) {
			return cli.Refuse("--back and --forget take the former container as it was: leave out --%s", name)
		}
	}
	o, err := options(c)
	if err != nil {
		return err
	}
	stop := c.Value("restart-apps")
	if err := cli.OneOf("restart-apps", stop, "true", "false"); err != nil {
		return err
	}
	return change(c, k, func(m *services.Manager, s *services.Service) error {
		apps, err := c.Server.LinkedApps(s.Ref())
		if err != nil {
			return err
		}
		var around services.Around
		if stop == "true" {
			around = func(s *services.Service, work func() error) error {
				return c.Server.WithoutApps(c.Ctx, m, s, c.Events(), work)
			}
		}
		switch {
		case back:
			return m.Back(c.Ctx, k, s.Name, c.Events(), around)
		case forget:
			return m.Forget(c.Ctx, k, s.Name, c.Events())
		}
		return m.Upgrade(c.Ctx, k, s.Name, o, c.Events(), apps, around)
	})
}
