package releases

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/text"
)

// Commands are the commands of this package.
var Commands = []cli.Spec{
	{
		Use: "releases APP", Role: cli.Deployer, Short: "List the app's releases, the newest last",
		Long: "A release is what a push, a rebuild, a restart or a change of the config made. Its image is kept for the\n" +
			"newest ones (see releases:set) and the pinned ones: these can be brought back. -n is how many are listed.",
		Flags: func(f *pflag.FlagSet) {
			cli.FormatFlag(f)
			f.StringP("num", "n", "15", "how many are listed")
		},
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    list,
	},
	{
		Use: "releases:pin APP RELEASE", Role: cli.Operator, Short: "Keep a release with its image, however many follow",
		Example: "dokku releases:pin hello v12", Words: kept,
		Run: func(c *cli.Call) error { return pin(c, true) },
	},
	report.Spec("Show how many releases keep their image, and which are pinned"),
	{
		Use: "releases:rollback APP [RELEASE]", Role: cli.Operator, Short: "Deploy an earlier release again, without a build",
		Long: "It brings back the release's image, its files (Procfile, DOKKU_SCALE, CHECKS, app.json) and its config, and is\n" +
			"checked like any deploy. Domains, ports, storage and limits stay as they are now. No release command runs, and\n" +
			"what one changed, for example in a database, remains. The branch in the repository stays too: the next push\n" +
			"deploys what it pushes. Without RELEASE it is the last one before the current release that differs from it.",
		Example: "dokku releases:rollback hello v12", Words: kept,
		Flags: func(f *pflag.FlagSet) { f.Bool("keep-config", false, "keep the present config") },
		Run:   rollback,
	},
	{
		Use: "releases:set APP KEY [VALUE]", Role: cli.Operator, Short: "Set how many releases keep their image",
		Long:    "The property is keep, a number from 1 to 100. Without a value it is unset. --global sets the default of all apps.",
		Missing: "No property specified", Words: func(*cli.Call) []string { return []string{"keep"} },
		Flags: func(f *pflag.FlagSet) { f.Bool("global", false, "set the default of all apps") },
		Run:   set,
	},
	{
		Use: "releases:show APP RELEASE", Role: cli.Deployer, Short: "Show a release, and what it changed", Words: kept,
		Flags:  cli.FormatFlag,
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    show,
	},
	{
		Use: "releases:unpin APP RELEASE", Role: cli.Operator, Short: "Let a pinned release go with the others of its age",
		Words: func(c *cli.Call) []string { return numbers(c.App.State.Pinned) },
		Run:   func(c *cli.Call) error { return pin(c, false) },
	},
}

// Release is a release as --format json has it.
type Release struct {
	app.ReleaseSummary
	// Current: the app runs it. Kept: its image is kept, so that it can be brought back.
	Current bool `json:"current"`
	Kept    bool `json:"kept"`
	Pinned  bool `json:"pinned"`
}

// state is the release's state for people.
func (r Release) state() string {
	var words []string
	switch {
	case r.Current:
		words = append(words, "current")
	case !r.Kept:
		words = append(words, "without image")
	}
	if r.Pinned {
		words = append(words, "pinned")
	}
	if r.ChecksSkipped {
		words = append(words, "checks skipped")
	}
	return strings.Join(words, ", ")
}

// title is the pusher's note on the release, or else the subject of its revision.
func (r Release) title() string { return cmp.Or(r.Message, r.Subject) }

// plain returns a row without what a terminal would act on: a release may be another server's.
func plain(row ...string) []string {
	for i := range row {
		row[i] = event.Printable(row[i])
	}
	return row
}

// changes are the release's changes in one line, the first ones.
func (r Release) changes() string {
	const most = 60
	var b strings.Builder
	for n, change := range r.Changes {
		part := change.String()
		if n > 0 {
			part = ", " + part
		}
		if b.Len()+len(part) > most && n > 0 {
			fmt.Fprintf(&b, ", %d more", len(r.Changes)-n)
			break
		}
		b.WriteString(part)
	}
	return b.String()
}

// releases returns at most most releases of the app, ascending.
func releases(c *cli.Call, most int) ([]Release, error) {
	st := &c.App.State
	stored, err := c.Server.Env.Store.ReleaseNumbers(c.App.Name)
	if err != nil {
		return nil, err
	}
	stored = slices.DeleteFunc(stored, func(n int) bool { return n > st.Current }) // staged or rejected
	var found []Release
	add := func(s app.ReleaseSummary, kept bool) {
		found = append(found, Release{s, s.Number == st.Current, kept, slices.Contains(st.Pinned, s.Number)})
	}
	for _, n := range stored[max(0, len(stored)-most):] {
		r, err := c.Server.Env.Store.Release(c.App.Name, n)
		if err != nil {
			return nil, err
		}
		add(r.Summary(), true)
	}
	past, err := c.Server.Env.Store.Past(c.App.Name, st.Current, most)
	if err != nil {
		return nil, err
	}
	for _, s := range past {
		// One whose removal was interrupted is in both places.
		if !slices.Contains(stored, s.Number) {
			add(s, false)
		}
	}
	slices.SortFunc(found, func(a, b Release) int { return a.Number - b.Number })
	return found[max(0, len(found)-most):], nil
}

func list(c *cli.Call) error {
	most, err := strconv.Atoi(c.Value("num"))
	if err != nil || most < 1 {
		return c.UsageError("Invalid --num %q: it is how many releases are listed, from 1", c.Value("num"))
	}
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	found, err := releases(c, most)
	if err != nil {
		return err
	}
	if c.Value("format") == "json" {
		if found == nil {
			found = []Release{}
		}
		return c.PrintJSON(found)
	}
	if len(found) == 0 {
		return &app.NotDeployedError{App: c.App.Name}
	}
	if c.Headings() {
		c.Print("=====> %s releases\n", c.App.Name)
	}
	var rows [][]string
	for _, r := range found {
		rows = append(rows, plain("v"+strconv.Itoa(r.Number), stamp(r.Created), r.By, r.Cause,
			app.Short(r.Revision), cut(r.title(), 40), r.changes(), r.state()))
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	return printBehind(c)
}

// printBehind says that what serves is not the tip of the deploy branch.
func printBehind(c *cli.Call) error {
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	tip, err := deploy.RolledBack(v)
	if err == nil && tip != "" {
		c.Events().WithApp(c.App.Name).Warn("%s is at %s, which was rolled back; to deploy it again: dokku ps:rebuild %s", v.DeployBranch(), app.Short(tip), c.App.Name)
	}
	return err
}

func show(c *cli.Call) error {
	if err := cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return err
	}
	n, err := number(c)
	if err != nil {
		return err
	}
	st := &c.App.State
	r := Release{Current: n == st.Current, Pinned: slices.Contains(st.Pinned, n)}
	stored, err := c.Server.Env.Store.ReleaseNumbers(c.App.Name)
	if err != nil {
		return err
	}
	if r.Kept = slices.Contains(stored, n) && n <= st.Current; r.Kept {
		full, err := c.Server.Env.Store.Release(c.App.Name, n)
		if err != nil {
			return err
		}
		r.ReleaseSummary = full.Summary()
	} else {
		found := false
		if r.ReleaseSummary, found, err = c.Server.Env.Store.PastRelease(c.App.Name, n); err != nil {
			return err
		} else if !found {
			return cli.Refuse("App %s has no release v%d: dokku releases %[1]s lists them", c.App.Name, n)
		}
	}
	if c.Value("format") == "json" {
		return c.PrintJSON(r)
	}
	printRelease(c, r)
	return nil
}

func printRelease(c *cli.Call, r Release) {
	if c.Headings() {
		c.Print("=====> %s v%d\n", c.App.Name, r.Number)
	}
	rows := [][]string{
		{"Revision:", r.Revision}, {"Subject:", r.Subject}, {"Message:", r.Message}, {"Created at:", stamp(r.Created)}, {"By:", r.By}, {"Cause:", r.Cause},
		{"Builder:", r.Builder}, {"State:", r.state()}, {"Commands that ran:", strings.Join(r.Ran, ", ")},
		{"Deploy:", r.deploy()},
	}
	if r.ChecksSkipped {
		rows = append(rows, []string{"Checks:", "CHECKS and healthchecks were skipped (git push -o skip-checks)"})
	}
	for _, row := range rows {
		c.Print("       %-20s %s\n", row[0], event.Printable(row[1]))
	}
	for _, change := range r.Changes {
		c.Print("       %-20s %s\n", "Changed:", event.Printable(change.String()))
	}
}

// deploy is the number for deploys:log; "" if the release's deploy has none.
func (r Release) deploy() string {
	if r.Deploy == 0 {
		return ""
	}
	return strconv.Itoa(r.Deploy)
}

func rollback(c *cli.Call) error {
	n := 0
	if len(c.Args) > 0 {
		var err error
		if n, err = number(c); err != nil {
			return err
		}
	}
	if err := c.Deployed(); err != nil {
		return err
	}
	return c.Server.Rollback(c.Ctx, c.App.Name, n, c.Flag("keep-config"), c.Events().WithApp(c.App.Name))
}

func pin(c *cli.Call, on bool) error {
	n, err := number(c)
	if err != nil {
		return err
	}
	log := c.Events().WithApp(c.App.Name)
	if err := c.Server.Pin(c.Ctx, c.App.Name, n, on, log); err != nil {
		return err
	}
	if on {
		log.Step("v%d of %s is kept until releases:unpin", n, c.App.Name)
	} else {
		log.Step("v%d of %s is not kept any longer than others of its age", n, c.App.Name)
	}
	return nil
}

// mostKept bounds releases:set keep: an image costs space.
const mostKept = 100

func set(c *cli.Call) error {
	if c.Args[0] != "keep" {
		return cli.Refuse("Invalid property specified, valid properties include: keep")
	}
	n := 0
	if len(c.Args) > 1 {
		var err error
		if n, err = strconv.Atoi(c.Args[1]); err != nil || n < 1 || n > mostKept {
			return cli.Refuse("Invalid keep specified: %q is no number from 1 to %d", c.Args[1], mostKept)
		}
	}
	said := fmt.Sprintf("Setting keep to %d", n)
	if n == 0 {
		said = "Unsetting keep"
	}
	log := c.Events()
	if c.App == nil {
		log.Result("%s", said)
		return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) error { set.KeepReleases = n; return nil })
	}
	log = log.WithApp(c.App.Name)
	log.Result("%s", said)
	return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: "releases:set"}, log, func(st *app.State) error {
		st.KeepReleases = n
		return nil
	})
}

var report = cli.Reporter{
	Noun: "releases",
	Keys: []string{"releases-computed-keep", "releases-current", "releases-global-keep", "releases-keep", "releases-pinned"},
	Global: func(c *cli.Call) (map[string]string, error) {
		set, err := c.Settings()
		return map[string]string{"releases-global-keep": strconv.Itoa(set.KeepReleases)}, err
	},
	Collect: func(c *cli.Call, a *app.App, _ string) (map[string]string, error) {
		v, err := c.View(a)
		if err != nil {
			return nil, err
		}
		own, computed, current := "", v.Settings.KeepReleases, ""
		if n := a.State.KeepReleases; n != 0 {
			own, computed = strconv.Itoa(n), n
		}
		if a.Current != nil {
			current = "v" + strconv.Itoa(a.Current.Number)
		}
		return map[string]string{"releases-keep": own, "releases-computed-keep": strconv.Itoa(computed),
			"releases-global-keep": strconv.Itoa(v.Settings.KeepReleases), "releases-current": current,
			"releases-pinned": strings.Join(numbers(a.State.Pinned), " ")}, nil
	},
}

// number reads the word RELEASE: "v12" or "12".
func number(c *cli.Call) (int, error) {
	n, err := strconv.Atoi(strings.TrimPrefix(c.Args[0], "v"))
	if err != nil || n < 1 {
		return 0, c.UsageError("Invalid release %q: it is a number, like v12; dokku releases %s lists them", c.Args[0], c.App.Name)
	}
	return n, nil
}

// kept completes the numbers of the releases whose image is kept.
func kept(c *cli.Call) []string {
	list, err := c.Server.Env.Store.ReleaseNumbers(c.App.Name)
	if err != nil {
		return nil
	}
	return numbers(list)
}

func numbers(list []int) []string {
	var words []string
	for _, n := range list {
		words = append(words, "v"+strconv.Itoa(n))
	}
	return words
}

// stamp is a time for people, in UTC as in the logs.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most-3]) + "..."
	}
	return s
}
