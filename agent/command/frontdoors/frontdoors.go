package frontdoors

import (
	"fmt"
	"strconv"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/ssh"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/frontdoor"
	"dokku/agent/proxy/doors"
	"dokku/agent/text"
)

const missing = "No front door specified"

// Commands are the commands of this package.
var Commands = []cli.Spec{
	{
		Use: "front-door:add NAME ADDRESS", Role: cli.Admin, Short: "Add a server that serves visitors with this server's routes and certificates", Missing: "No name or address specified",
		Long: "ADDRESS is [USER@]HOST[:PORT], where sshd answers; the user is dokku. It prints what to run there: that installs nginx and dokku, and\n" +
			"lets this server send it routes and certificates. Nothing else is there: no repositories, no apps, no Docker.\n" +
			"The front door is disabled at first: dokku front-door:enable sends it all routes.\n\n" +
			"Processes that only this server reaches are served through it, by nginx at the same ports. So the front door needs to reach its ports 80 and 443.",
		Example: "dokku front-door:add two 203.0.113.2\ndokku front-door:add two 203.0.113.2 --host-key 'ssh-ed25519 AAAA...'",
		Flags: func(f *pflag.FlagSet) {
			f.String("host-key", "", "the key that sshd there must have, as in /etc/ssh/ssh_host_ed25519_key.pub; default: the one that it shows now")
			f.String("server-address", "", "the IP address at which the front door reaches this server; default: the one from which this server reaches it")
		},
		Run: runAdd,
	},
	{
		Use: "front-door:key", Role: cli.Admin, Short: "Print the line that makes another server a front door of this one",
		Long: "Run it there in a checkout of dokku. The key in it may send routes and certificates to that server, and nothing else.",
		Run:  runKey,
	},
	{
		Use: "front-door:list", Role: cli.Admin, Short: "List the front doors", Flags: cli.FormatFlag,
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    func(c *cli.Call) error { return runList(c, false) },
	},
	{
		Use: "front-door:report [NAME]", Role: cli.Admin, Short: "Ask the front doors how they are", Flags: cli.FormatFlag,
		Long: "It exits with 1 if an enabled one does not serve what it should.\n\n" +
			"--format json prints a list of objects with these keys: name, address, enabled, host-key, from, server-address, proven and missing (apps), leave-out-after;\n" +
			"and for an enabled one: running, version, clock-off (seconds), problems.",
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")}, Words: names,
		Run: func(c *cli.Call) error { return runList(c, true) },
	},
	{
		Use: "front-door:enable NAME", Role: cli.Admin, Short: "Send a front door all routes, from now on at each change", Missing: missing,
		Long: "When it returns, the front door serves them: add its address to the DNS after that. From then on, a deploy replaces the old version\n" +
			"only when all enabled front doors serve the new one; it fails while one of them does not answer.",
		Example: "dokku front-door:enable two", Words: names, Run: runEnable,
	},
	{
		Use: "front-door:disable NAME", Role: cli.Admin, Short: "Go on without a front door", Missing: missing,
		Long:    "It goes on serving what it has, and nobody tells it of changes: take its address out of the DNS first.",
		Example: "dokku front-door:disable two", Words: names, Run: runDisable,
	},
	{
		Use: "front-door:set NAME KEY [VALUE]", Role: cli.Admin, Short: "Set or unset leave-out-after of a front door", Missing: missing,
		Long: "leave-out-after: after how many seconds without an answer, 30 to 86400, deploys go on without the front door; they say so. Without a value: never,\n" +
			"so that a deploy of an app on a swarm fails while the front door does not answer.\n\n" +
			"When it answers again, the agent sends it what it lacks within seconds. Until then its visitors may get errors (502), as they do while only this server\n" +
			"cannot reach it: use it where something takes a front door that is down out of the DNS.",
		Example: "dokku front-door:set two leave-out-after 120", Words: words, Run: runSet,
	},
	{
		Use: "front-door:sync NAME", Role: cli.Admin, Short: "Send all routes to an enabled front door anew", Missing: missing,
		Long:    "The agent does that by itself, within half a minute, for each route that the front door lacks.",
		Example: "dokku front-door:sync two", Words: names, Run: runSync,
	},
	{
		Use: "front-door:remove NAME", Role: cli.Admin, Short: "Forget a front door", Missing: missing,
		Example: "dokku front-door:remove two", Words: names, Run: runRemove,
	},
}

// leaveOut is the only property of front doors.
const leaveOut = "leave-out-after"

// words completes the name and the property of a front door.
func words(c *cli.Call) []string {
	if len(c.Args) == 1 {
		return []string{leaveOut}
	}
	return names(c)
}

func runSet(c *cli.Call) error {
	name, value, seconds := c.Args[0], "", 0
	if c.Args[1] != leaveOut {
		return fmt.Errorf("invalid property %.80q of a front door: there is %s", c.Args[1], leaveOut)
	}
	if len(c.Args) > 2 {
		value = c.Args[2]
	}
	if value != "" {
		var err error
		if seconds, err = strconv.Atoi(value); err != nil || seconds == 0 {
			return fmt.Errorf("invalid %s %.80q: give a number of seconds, %d to %d, or none for never", leaveOut, value, app.MinLeaveOut, app.MaxLeaveOut)
		}
	}
	if err := frontdoor.LeaveOut(c.Ctx, c.Server, name, seconds); err != nil {
		return err
	}
	if seconds == 0 {
		c.Events().Result("Unsetting %s", leaveOut)
	} else {
		c.Events().Result("Setting %s to %d", leaveOut, seconds)
	}
	return nil
}

// names completes the names of front doors.
func names(c *cli.Call) []string {
	set, err := c.Server.Settings()
	if err != nil || len(c.Args) > 0 {
		return nil
	}
	return set.Doors()
}

func runAdd(c *cli.Call) error {
	name := c.Args[0]
	d, err := frontdoor.Add(c.Ctx, c.Server, frontdoor.Addition{Name: name, Address: c.Args[1], HostKey: c.Value("host-key"), Back: c.Value("server-address")})
	if err != nil {
		return err
	}
	line, err := frontdoor.Line(c.Server)
	if err != nil {
		return err
	}
	c.Events().Step("Added front door %s at %s", name, d.Address)
	c.Events().Detail("Its sshd has the key %s", fingerprint(d))
	c.Events().Detail("It is to reach this server at %s", d.Back)
	c.Events().Detail("Run there, in a checkout of dokku:")
	c.Events().Detail("%s", line)
	c.Events().Detail("Then here: dokku front-door:enable %s", name)
	return nil
}

func fingerprint(d app.FrontDoor) string {
	key, err := doors.ParseKey(d.HostKey)
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

func runKey(c *cli.Call) error {
	line, err := frontdoor.Line(c.Server)
	if err != nil {
		return err
	}
	c.Print("%s\n", line)
	return nil
}

func runEnable(c *cli.Call) error {
	if err := frontdoor.Enable(c.Ctx, c.Server, c.Args[0], c.Events()); err != nil {
		return err
	}
	c.Events().Step("Front door %s serves the routes of this server", c.Args[0])
	return nil
}

func runDisable(c *cli.Call) error {
	if err := frontdoor.Disable(c.Ctx, c.Server, c.Args[0]); err != nil {
		return err
	}
	c.Events().Step("Front door %s is disabled: it goes on serving what it has", c.Args[0])
	return nil
}

func runSync(c *cli.Call) error {
	if err := frontdoor.Sync(c.Ctx, c.Server, c.Args[0], c.Events()); err != nil {
		return err
	}
	c.Events().Step("Front door %s serves the routes of this server", c.Args[0])
	return nil
}

func runRemove(c *cli.Call) error {
	if err := frontdoor.Remove(c.Ctx, c.Server, c.Args[0]); err != nil {
		return err
	}
	c.Events().Step("Removed front door %s: it goes on serving what it has", c.Args[0])
	c.Events().Detail("To end that, run there: sudo ./install.sh uninstall --purge")
	return nil
}

// A row is a front door as --format json has it.
type row struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	Enabled bool     `json:"enabled"`
	HostKey string   `json:"host-key"`
	From    string   `json:"from"`
	Back    string   `json:"server-address"`
	Proven  []string `json:"proven"`
	Missing []string `json:"missing"`
	// LeaveOut is leave-out-after, in seconds; 0: never.
	LeaveOut int `json:"leave-out-after"`
	*asked
}

// asked is what a front door says about itself.
type asked struct {
	Running  bool     `json:"running"`
	Version  string   `json:"version"`
	Off      float64  `json:"clock-off"`
	Problems []string `json:"problems"`
}

// runList prints the front doors; with ask, after asking the enabled ones.
func runList(c *cli.Call, ask bool) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	set, err := c.Server.Settings()
	if err != nil {
		return err
	}
	if len(c.Args) > 0 {
		_, d, err := frontdoor.Find(c.Server, c.Args[0])
		if err != nil {
			return err
		}
		set.FrontDoors = map[string]app.FrontDoor{c.Args[0]: d}
	}
	question := frontdoor.Nothing
	if ask {
		question = frontdoor.OfNginx
	}
	states := frontdoor.States(c.Ctx, c.Server, set, question)
	if c.Value("format") == "json" {
		if err := printJSON(c, states, ask); err != nil {
			return err
		}
	} else {
		printDoors(c, states)
	}
	grave := false
	for _, st := range states {
		if !ask || st.Disabled {
			continue
		}
		for _, p := range st.Judge(c.Server.Version) {
			if c.Value("format") != "json" {
				c.Warn("%s; to fix: %s", p.Text, p.Fix)
			}
			grave = grave || p.Grave
		}
	}
	if grave {
		return cli.ErrSilent
	}
	return nil
}

func printJSON(c *cli.Call, states []frontdoor.State, ask bool) error {
	rows := []row{}
	for _, st := range states {
		r := row{Name: st.Name, Address: st.Address, Enabled: !st.Disabled, HostKey: fingerprint(st.FrontDoor), From: st.From, Back: st.Back,
			Proven: append([]string{}, st.Proven...), Missing: append([]string{}, st.Missing...), LeaveOut: st.FrontDoor.LeaveOut}
		if ask && !st.Disabled {
			r.asked = &asked{Running: st.Err == nil, Version: st.Report.Version, Off: st.Report.Off.Seconds(), Problems: []string{}}
			for _, p := range st.Judge(c.Server.Version) {
				r.Problems = append(r.Problems, p.Text)
			}
		}
		rows = append(rows, r)
	}
	return c.PrintJSON(rows)
}

func printDoors(c *cli.Call, states []frontdoor.State) {
	if len(states) == 0 {
		c.Warn("There is no front door: dokku front-door:add adds one")
		return
	}
	var rows [][]string
	if c.Headings() {
		c.Heading("Front doors")
		rows = append(rows, []string{"name", "address", "state", "apps", "host key"})
	}
	for _, st := range states {
		state := "enabled"
		if st.Disabled {
			state = "disabled"
		} else if st.LeftOut {
			state = "left out"
		}
		rows = append(rows, []string{st.Name, st.Address, state, fmt.Sprintf("%d of %d", len(st.Proven), len(st.Proven)+len(st.Missing)), fingerprint(st.FrontDoor)})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
}
