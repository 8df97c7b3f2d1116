package admin

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/build/source"
)

var reportCommands = []cli.Spec{
	{
		Use: "report [APP]", Role: cli.Operator, Short: "Show the server's versions, memory and disks, and all reports of an app",
		Long:  "With APP or --all, the reports of all nouns follow. It shows no values of the config. doctor says what is wrong.",
		Flags: func(f *pflag.FlagSet) { f.Bool("all", false, "the reports of all apps") },
		Run:   runReport,
	},
	{Use: "trace:off", Role: cli.Admin, Short: "End what trace:on began", Run: func(c *cli.Call) error { return setTrace(c, false) }},
	{
		Use: "trace:on", Role: cli.Admin, Short: "Make every command print its events",
		Long: "Each event is a line of JSON on standard error, as with --trace for one command. A push prints none.",
		Run:  func(c *cli.Call) error { return setTrace(c, true) },
	},
}

func setTrace(c *cli.Call, on bool) error {
	said := "Disabling trace mode"
	if on {
		said = "Enabling trace mode"
	}
	c.Events().Step("%s", said)
	return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error {
		set.Trace = on
		return nil
	})
}

func runReport(c *cli.Call) error {
	set, err := c.Settings()
	if err != nil {
		return err
	}
	c.Print("-----> uname: %s\n", uname())
	section(c, "memory", memory())
	section(c, "disk utilization", disks(c.Server.Env.Store.Root, set))
	c.Print("-----> docker version: %s\n", engineVersion(c))
	c.Print("-----> dokku version: %s\n", c.Env.Version)
	c.Print("-----> git version: %s\n", strings.TrimPrefix(said("git", "--version"), "git version "))
	c.Print("-----> nginx version: %s\n", strings.TrimPrefix(said("nginx", "-v"), "nginx version: "))
	var apps []string
	switch {
	case c.App != nil:
		apps = []string{c.App.Name}
	case c.Flag("all"):
		if apps, err = c.Apps(); err != nil {
			return err
		}
	}
	for _, name := range apps {
		if err := c.ReportAll(name); err != nil {
			return err
		}
	}
	return nil
}

func section(c *cli.Call, title string, lines []string) {
	c.Print("-----> %s:\n", title)
	for _, line := range lines {
		c.Print("       %s\n", line)
	}
}

func uname() string {
	var u unix.Utsname
	if unix.Uname(&u) != nil {
		return "unknown"
	}
	return strings.Join([]string{unix.ByteSliceToString(u.Sysname[:]), unix.ByteSliceToString(u.Nodename[:]),
		unix.ByteSliceToString(u.Release[:]), unix.ByteSliceToString(u.Version[:]), unix.ByteSliceToString(u.Machine[:])}, " ")
}

// memory returns the lines of /proc/meminfo that people ask for.
func memory() (lines []string) {
	f, err := os.Open("/proc/meminfo")
	if err != nil {
		return []string{err.Error()}
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), ":")
		switch name {
		case "MemTotal", "MemAvailable", "SwapTotal", "SwapFree":
			lines = append(lines, fmt.Sprintf("%-14s%s", name, strings.TrimSpace(value)))
		}
	}
	return lines
}

// disks says how full the disks of dokku's folders are.
func disks(root string, set app.Settings) (lines []string) {
	for _, dir := range []string{"/", root, set.StorageDir()} {
		var s unix.Statfs_t
		if unix.Statfs(dir, &s) != nil || s.Blocks == 0 || s.Files == 0 {
			continue
		}
		block := int64(s.Bsize)
		lines = append(lines, fmt.Sprintf("%s: %s of %s free, %d%% of the inodes", dir,
			source.Bytes(int64(s.Bavail)*block), source.Bytes(int64(s.Blocks)*block), s.Ffree*100/s.Files))
	}
	return lines
}

func engineVersion(c *cli.Call) string {
	host, err := c.Engine()
	if err != nil {
		return err.Error()
	}
	info, err := host.Info(c.Ctx)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%s, API %s, data in %s", info.Version, info.API, info.DataRoot)
}

// said is what a program prints as its version.
func said(name, flag string) string {
	out, err := exec.Command(name, flag).CombinedOutput()
	if err != nil {
		return "none: " + err.Error()
	}
	line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
	return line
}
