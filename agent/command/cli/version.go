package cli

import (
	"runtime/debug"
	"strings"
)

// VersionCommands has the command version.
var VersionCommands = []Spec{{
	Use: "version", Short: "Print the version", Rootless: true,
	Run: func(c *Call) error {
		c.Print("dokku version %s\n", c.Env.Version)
		return nil
	},
}}

// versionText returns the version that the linker has set, or else the revision that
// the program was built from.
func versionText(linked string) string {
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
