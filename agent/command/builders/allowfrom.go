package builders

import (
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
)

var allowFrom = cli.Spec{
	Use: "builder:allow-from APP OTHER...", Role: cli.Admin, Short: "Let the app's builds use images of other apps",
	Long: "Without it, a Dockerfile of APP that names an image of the app OTHER (FROM dokku/OTHER) is refused, since the image has\n" +
		"all files of that app. The property allow-from of builder:report lists what is allowed.",
	Example: "sudo dokku builder:allow-from shop base",
	Flags:   func(f *pflag.FlagSet) { f.Bool("remove", false, "no longer let it use them") },
	Run: func(c *cli.Call) error {
		list := app.Words(c.App.State.Build[app.PropAllowFrom])
		for _, other := range c.Args {
			at := slices.Index(list, other)
			switch {
			case c.Flag("remove") && at < 0:
				return cli.Refuse("The builds of %s may not use images of %s anyway", c.App.Name, other)
			case c.Flag("remove"):
				list = slices.Delete(list, at, at+1)
			case at < 0:
				if _, err := c.Server.Env.Store.State(other); err != nil {
					return err
				}
				list = append(list, other)
			}
		}
		c.Args = []string{app.PropAllowFrom, strings.Join(list, ",")}
		return builderProperties.Spec("").Run(c)
	},
}
