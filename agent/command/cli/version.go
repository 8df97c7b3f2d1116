package cli

import "runtime/debug"

const (
	// Interface is the version of Dokku whose commands, options and outputs this program
	// has at least. Clients of Dokku compare it, and some refuse 0.36 and later.
	Interface = "0.35.20"
	// Number is the version of this program, the first one of CHANGELOG.md.
	Number = "0.2.0"
)

// VersionCommands has the command version.
var VersionCommands = []Spec{{
	Use: "version", Role: Anybody, Short: "Print the version", Rootless: true,
	Long: "The first line is for clients of Dokku: it names the version of Dokku whose interface this program has. The second\n" +
		"one is this program's own version, and the revision that it was built from.",
	Run: func(c *Call) error {
		c.Print("dokku version %s\nagent version %s, revision %s\n", Interface, Number, c.Env.Version)
		return nil
	},
}}

// VersionText returns the revision that the linker has set, or else the one that the
// program was built from.
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
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return "unknown"
}

// Release is the program's version and revision in one text, which servers compare.
func Release(revision string) string { return Number + " " + revision }
