package ps

import (
	"encoding/json"
	"fmt"
	"strings"

	"dokku/agent/command/cli"
	"dokku/agent/event"
)

// redacted stands for the value of a variable.
const redacted = "XXXXXX"

// runInspect prints the engine's description of each container, without the values
// of its environment, which may be secrets.
func runInspect(c *cli.Call) error {
	if err := c.Deployed(); err != nil {
		return err
	}
	host, err := c.Engine()
	if err != nil {
		return err
	}
	instances, err := c.Instances(c.App)
	if err != nil {
		return err
	}
	list := []map[string]any{}
	for _, i := range instances {
		data, err := host.Describe(c.Ctx, i.ID)
		if i.Placed() && err != nil {
			c.Warn("%s.%d is not seen from here; on node %s: docker inspect $(%s)", i.Type, i.Index, i.Node, cli.OnNode(i))
			continue
		}
		if err != nil {
			return err
		}
		var described map[string]any
		if err := json.Unmarshal(data, &described); err != nil {
			return fmt.Errorf("cannot read the engine's description of %s: %w", i.Name, err)
		}
		redact(described)
		list = append(list, described)
	}
	data, err := json.MarshalIndent(list, "", "    ")
	c.Print("%s\n", event.PrintableJSON(data))
	return err
}

// redact replaces the values of Config.Env.
func redact(described map[string]any) {
	config, _ := described["Config"].(map[string]any)
	env, _ := config["Env"].([]any)
	for n := range env {
		pair, _ := env[n].(string)
		name, _, _ := strings.Cut(pair, "=")
		env[n] = name + "=" + redacted
	}
}
