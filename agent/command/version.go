package command

import (
	"runtime/debug"
	"strings"
)

var versionCommands = []spec{{
	use: "version", short: "Print the version", rootless: true,
	run: func(c *call) error {
		c.print("dokku version %s\n", c.env.Version)
		return nil
	},
}}

// VersionText is the version that the linker has set, or else the revision that
// the program was built from.
func VersionText(linked string) string {
	if linked != "" {
		return linked
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "0.0.0-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return strings.Trim(info.Main.Version, "()")
}
