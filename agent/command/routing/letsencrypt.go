package routing

import (
	"cmp"
	"fmt"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/letsencrypt"
	"dokku/agent/text"
)

var letsencryptCommands = []cli.Spec{
	{
		Use: "letsencrypt:active APP", Role: cli.Operator, Short: "Tell whether the app's certificate is from a CA's order",
		Run: func(c *cli.Call) error {
			c.Print("%t\n", len(c.App.State.Own()) > 0 && c.App.State.Certificate == nil)
			return nil
		},
	},
	{
		Use: "letsencrypt:auto-renew [APP]", Role: cli.Operator, Short: "Renew the certificates whose time has come",
		Long: "The agent does it by itself. This one does not wait for the pauses after failures.",
		Run:  autoRenew,
	},
	{
		Use: "letsencrypt:cleanup APP", Role: cli.Operator, Short: "Remove the files of former certificates",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			log.Result("Cleaning up stale certificate directories for %s", c.App.Name)
			return orderer(c).Cleanup(c.Ctx, c.App.Name, log)
		},
	},
	{
		Use: "letsencrypt:cron-job", Role: cli.Admin, Short: "Switch the agent's orders and renewals",
		Long: "Without a flag it tells whether they are on, as they are from the beginning.",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("add", false, "switch them on")
			f.Bool("remove", false, "switch them off: nothing is ordered or renewed but by a command")
		},
		Run: cronJob,
	},
	{
		Use: "letsencrypt:disable APP", Role: cli.Operator, Short: "Remove the app's ordered certificates, and order no more",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			log.Step("Disabling letsencrypt for app")
			log.Detail("Removing letsencrypt files for %s", c.App.Name)
			log.Detail("Removing SSL endpoint from %s", c.App.Name)
			if err := orderer(c).Disable(c.Ctx, c.App.Name, "letsencrypt:disable", log); err != nil {
				return err
			}
			log.Step("Done")
			return nil
		},
	},
	{
		Use: "letsencrypt:enable APP", Role: cli.Operator, Short: "Order a certificate for the app's domains, and renew it for good",
		Long: "The CA is Let's Encrypt, unless letsencrypt:set says another one. An order agrees to its terms of service.\n" +
			"With --all, it is done for all deployed apps.",
		Example: "dokku letsencrypt:enable hello",
		Flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "for all deployed apps")
			f.BoolP("force", "f", false, "order even if the present certificate is good")
		},
		Run: enableLetsencrypt,
	},
	{
		Use: "letsencrypt:list", Role: cli.Admin, Short: "List the apps with ordered certificates, and what keeps an order from success",
		Run: listLetsencrypt,
	},
	letsencryptReport.Spec("Show the settings of the app's orders and their origin"),
	{
		Use: "letsencrypt:revoke APP", Role: cli.Operator, Short: "Have the CA revoke the app's certificates, and disable letsencrypt",
		Run: func(c *cli.Call) error {
			log := c.Events().WithApp(c.App.Name)
			if len(c.App.State.Issued) == 0 {
				return cli.Refuse("App %s has no certificate that a CA issued: dokku letsencrypt:enable %[1]s orders one", c.App.Name)
			}
			log.Result("Revoke letsencrypt certificate from %s...", c.App.Name)
			if err := orderer(c).Revoke(c.Ctx, c.App.Name, log); err != nil {
				return err
			}
			log.Step("Done")
			return nil
		},
	},
	letsencryptProperties.Spec("Set or unset a setting of the app's orders"),
}

func orderer(c *cli.Call) *letsencrypt.Orderer { return &letsencrypt.Orderer{Server: c.Server} }

// ask is what the person at the command line asks for.
func ask(c *cli.Call) letsencrypt.Ask {
	by := c.Env.User
	if u, err := user.Current(); by == "" && err == nil {
		by = u.Username
	}
	return letsencrypt.Ask{By: cmp.Or(by, "somebody"), Force: c.Flag("force")}
}

func enableLetsencrypt(c *cli.Call) error {
	if c.App != nil {
		return orderer(c).Enable(c.Ctx, c.App.Name, ask(c), c.Events())
	}
	return eachDeployed(c, func(a *app.App) error {
		if a.State.Certificate != nil {
			c.Events().WithApp(a.Name).Detail("%s keeps its own certificate: dokku letsencrypt:enable %[1]s replaces it", a.Name)
			return nil
		}
		return orderer(c).Enable(c.Ctx, a.Name, ask(c), c.Events())
	}, "One or more apps have no certificate")
}

// eachDeployed calls f for all deployed apps. One that fails does not keep the others from
// it; then the error is failed.
func eachDeployed(c *cli.Call, f func(*app.App) error, failed string) error {
	apps, err := c.Apps()
	if err != nil {
		return err
	}
	good := true
	for _, name := range apps {
		a, err := c.Server.Load(name)
		if err == nil && a.Served() {
			err = f(a)
		}
		if err != nil {
			good = false
			c.Events().WithApp(name).Warn("%s", err)
		}
	}
	if !good {
		return cli.Refuse("%s", failed)
	}
	return nil
}

func autoRenew(c *cli.Call) error {
	log := c.Events()
	renew := func(a *app.App) error {
		v, err := c.View(a)
		if err != nil || !v.ACMEEnabled() {
			return err
		}
		orders, err := c.Server.Env.Store.Orders(a.Name)
		if err != nil {
			return err
		}
		made, err := orderer(c).Order(c.Ctx, a.Name, ask(c), log)
		if err == nil && made == 0 {
			for _, x := range v.State.Own() {
				log.WithApp(a.Name).Detail("%s still has %s left before renewal", a.Name, left(v.Renewal(x, orders)))
			}
		}
		return err
	}
	if c.App != nil {
		if v, err := c.View(c.App); err != nil || !v.ACMEEnabled() {
			log.Step("Letsencrypt not enabled for %s", c.App.Name)
			return err
		}
		return renew(c.App)
	}
	log.Result("Auto-renewing all apps...")
	if err := eachDeployed(c, renew, "One or more apps failed to have their certificates renewed"); err != nil {
		return err
	}
	log.Result("Finished auto-renewal")
	return nil
}

func cronJob(c *cli.Call) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	add, remove := c.Flag("add"), c.Flag("remove")
	switch {
	case add && remove:
		return c.UsageError("--add and --remove cannot be used together")
	case add || remove:
		err := c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
			set.SetRenewal(add)
			return nil
		})
		if err != nil {
			return err
		}
		set.SetRenewal(add)
	}
	if set.RenewalOff() {
		c.Print("=====> Auto-renew cron job is not enabled\n       Run 'dokku letsencrypt:cron-job --add' to enable.\n")
		return nil
	}
	c.Print("=====> Auto-renew cron job is enabled: the agent orders and renews\n       Run 'dokku letsencrypt:cron-job --remove' to disable.\n")
	return nil
}

// left is the time until t, as Dokku's plugin shows it.
func left(t time.Time) string {
	d := time.Until(t).Round(time.Second)
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	s := int(d.Seconds())
	return fmt.Sprintf("%s%dd, %dh, %dm, %ds", sign, s/86400, s/3600%24, s/60%60, s%60)
}

// listLetsencrypt prints a line for each ordered certificate, the next to expire first, and
// warns of each name that has none. A line begins with the app, as that of Dokku's plugin:
// clients read the name there.
func listLetsencrypt(c *cli.Call) error {
	apps, err := c.Apps()
	if err != nil {
		return err
	}
	type line struct {
		until time.Time
		cells []string
	}
	var lines []line
	var failed []string
	for _, name := range apps {
		a, err := c.Server.Load(name)
		if err != nil {
			return err
		}
		v, err := c.View(a)
		if err != nil {
			return err
		}
		orders, err := c.Server.Env.Store.Orders(name)
		if err != nil {
			failed = append(failed, fmt.Sprintf("%s: %s", name, err))
			continue
		}
		for i := range a.State.Issued {
			x := &a.State.Issued[i]
			lines = append(lines, line{x.NotAfter, []string{name, x.NotAfter.UTC().Format(time.DateTime), left(x.NotAfter), left(v.Renewal(x, orders))}})
		}
		failed = append(failed, letsencrypt.Troubles(v, orders)...)
	}
	slices.SortStableFunc(lines, func(a, b line) int { return a.until.Compare(b.until) })
	rows := [][]string{{"-----> App name", "Certificate Expiry", "Time before expiry", "Time before renewal"}}
	for _, l := range lines {
		rows = append(rows, l.cells)
	}
	for i, row := range text.Columns(rows, 2) {
		if i > 0 || c.Headings() {
			c.Print("%s\n", row)
		}
	}
	for _, f := range failed {
		c.Warn("%s", f)
	}
	return nil
}
