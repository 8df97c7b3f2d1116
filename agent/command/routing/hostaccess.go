package routing

import (
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/firewall"
)

// setHostAccess stores what the app reaches of the server.
func setHostAccess(c *cli.Call, name, value string) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	if v := (app.View{App: c.App, Settings: set}); value != "" && !v.Filtered() {
		c.Warn("The containers of %s reach all ports of this server already; to keep them from the others: dokku isolation:enable %[1]s", c.App.Name)
	}
	return c.Server.SetHostAccess(c.Ctx, c.App.Name, name, value, c.Events().WithApp(c.App.Name))
}

// checkHostPorts returns the ports in the form in which they are stored, each once.
func checkHostPorts(value string) (string, error) {
	ports, err := firewall.ParsePorts(value)
	if err != nil {
		return "", cli.Refuse("Invalid host-ports specified: %s", event.OneLine(err.Error()))
	}
	var list []string
	for _, p := range ports {
		if !slices.Contains(list, p.String()) {
			list = append(list, p.String())
		}
	}
	return strings.Join(list, ","), nil
}
