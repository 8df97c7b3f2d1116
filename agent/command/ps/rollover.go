package ps

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/scale"
)

// checkRollover checks a value of the property rollover.
func checkRollover(value string) error {
	if _, err := scale.ParseRollovers(value); err != nil {
		return cli.Refuse("Invalid rollover specified: %s", err)
	}
	return nil
}

// hasTypes refuses a rollover of a type that the deployed app does not have: a misspelt
// type would overlap.
func hasTypes(c *cli.Call, value string) error {
	if !c.App.Deployed() {
		return nil
	}
	set, err := scale.ParseRollovers(value)
	if err != nil {
		return err
	}
	known := c.Types()
	for _, typ := range slices.Sorted(maps.Keys(set)) {
		if !slices.Contains(known, typ) {
			return cli.Refuse("Invalid rollover specified: %s has no process type %s, only %s", c.App.Name, typ, strings.Join(known, ", "))
		}
	}
	return nil
}

// reportRollover corrects the property's values in the report: app.json wins over it.
func reportRollover(values map[string]string, v app.View) error {
	set, err := v.Rollovers(v.Current)
	if err != nil {
		return err
	}
	values["ps-computed-"+app.PropRollover] = set.String()
	if v.Current == nil || len(v.Current.Control.AppJSON.Over(nil)) == 0 {
		return nil
	}
	origin := fmt.Sprintf("%s of %s", scale.FromAppJSON, v.Current.Short())
	if own := values["ps-origin-"+app.PropRollover]; own != "" {
		origin += ", " + own
	}
	values["ps-origin-"+app.PropRollover] = origin
	return nil
}

// printExclusive lists the exclusive types, for people.
func printExclusive(c *cli.Call) error {
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	set, err := v.Rollovers(v.Current)
	if err != nil {
		return err
	}
	maps.DeleteFunc(set, func(_ string, r scale.Rollover) bool { return r != scale.Exclusive })
	if len(set) > 0 {
		c.Print("       exclusive: %s\n", strings.Join(slices.Sorted(maps.Keys(set)), ", "))
	}
	return nil
}
