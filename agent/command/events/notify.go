package events

import (
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/deploy"
	"dokku/agent/notify"
	"dokku/agent/remote"
)

var notifyCommands = []cli.Spec{
	{
		Use: "notify:add APP URL", Role: cli.Operator, Short: "Notify an address when something happens to the app, or to any app",
		Long: "The topics of --on, separated by commas, are deploy, reject, crash, renew and recover; without it, all of them.\n" +
			"The agent posts JSON, signed as Standard Webhooks has it; the format slack posts {\"text\": ...}, which Slack,\n" +
			"Mattermost and others read. Without --secret one is generated and printed, once. --global is for all apps.",
		Example: "dokku notify:add hello https://hooks.example.com/deploys --on deploy,reject\n" +
			"dokku notify:add --global https://hooks.slack.com/services/T0/B0/X --on crash,renew --format slack",
		Missing: "No URL specified",
		Flags: func(f *pflag.FlagSet) {
			globalFlag(f)
			f.String("on", strings.Join(app.HookTopics, ","), "the topics")
			f.String("format", app.FormatJSON, strings.Join(app.HookFormats, " or "))
			f.String("secret", "", "the secret that signs: whsec_ and base64, or any text of 16 characters or more")
		},
		Values: map[string]func(*cli.Call) []string{
			"format": cli.OneOfWords(app.HookFormats...), "on": cli.OneOfWords(app.HookTopics...),
		},
		Run: add,
	},
	{
		Use: "notify:list [APP]", Role: cli.Operator, Short: "List the addresses that are notified, without their secrets",
		Long:   "With an app, also those that are notified about all apps. For what became of their notifications: --format json, or notify:report.",
		Flags:  func(f *pflag.FlagSet) { cli.FormatFlag(f); globalFlag(f) },
		Values: map[string]func(*cli.Call) []string{"format": cli.OneOfWords("stdout", "json")},
		Run:    listHooks,
	},
	{
		Use: "notify:remove APP ID", Role: cli.Operator, Short: "Notify an address no more, by the id or the URL of notify:list",
		Long: "What waits for it is given up.", Missing: "No id specified", Flags: globalFlag, Words: ids,
		Run: remove,
	},
	report.Spec("Show what became of the notifications"),
	{
		Use: "notify:test APP [ID]", Role: cli.Operator, Short: "Post a test to the addresses of the app, or to one of them",
		Long: "It is posted once, at once and by this command. The exit code is 1 if an address does not take it.", Flags: globalFlag, Words: ids,
		Run: test,
	},
}

func globalFlag(f *pflag.FlagSet) { f.Bool("global", false, "about all apps") }

// ids completes the ids of the app's hooks.
func ids(c *cli.Call) (list []string) {
	hooks, err := hooksOf(c)
	if err != nil {
		return nil
	}
	for _, h := range hooks {
		list = append(list, h.ID)
	}
	return list
}

// hooksOf returns the hooks of the command's app, or of the server.
func hooksOf(c *cli.Call) ([]app.Hook, error) {
	if c.App != nil {
		return c.App.State.Hooks, nil
	}
	set, err := c.Server.Settings()
	return set.Hooks, err
}

// change stores other hooks of the app, or of the server.
func change(c *cli.Call, op string, f func([]app.Hook) ([]app.Hook, error)) error {
	if c.App == nil {
		return c.Server.Env.Store.UpdateSettings(c.Ctx, func(set *app.Settings) (err error) {
			set.Hooks, err = f(set.Hooks)
			return err
		})
	}
	return c.Server.Update(c.Ctx, c.App.Name, deploy.Op{Name: op}, c.Events().WithApp(c.App.Name), func(st *app.State) error {
		hooks, err := f(st.Hooks)
		if err == nil {
			st.Hooks = hooks
		}
		return err
	})
}

func queue(c *cli.Call) notify.Queue { return notify.Queue{Dir: c.Server.Env.Store.Notifications()} }

// find returns the index of the hook that the command names. notify:list APP lists those of
// all apps too, so one of them may be named by mistake.
func find(c *cli.Call, command string, hooks []app.Hook) (int, error) {
	i, err := app.FindHook(hooks, c.Args[0])
	if err == nil || c.App == nil {
		return i, err
	}
	set, serr := c.Server.Settings()
	if serr != nil {
		return 0, serr
	}
	if g, gerr := app.FindHook(set.Hooks, c.Args[0]); gerr == nil {
		err = cli.Refuse("%s is notified of all apps: dokku %s --global %s", set.Hooks[g].Shown(), command, set.Hooks[g].ID)
	}
	return 0, err
}

// about is what the command's hooks are about.
func about(c *cli.Call) string {
	if c.App == nil {
		return "all apps"
	}
	return c.App.Name
}

func add(c *cli.Call) error {
	on := strings.FieldsFunc(c.Value("on"), func(r rune) bool { return r == ',' || r == ' ' })
	h, err := app.NewHook(c.Args[0], on, c.Value("format"), c.Value("secret"), c.Server.Env.By)
	if err != nil {
		return err
	}
	set, err := c.Server.Settings()
	if err != nil {
		return err
	}
	if h.Private = c.Env.User == ""; !h.Private && !set.PrivateHooks && private(h.URL) {
		return cli.Refuse("Invalid URL: %s is not an address of the public internet: add it on the server itself, "+
			"or set \"private_hooks\": true in .dokku/server.json", h.Shown())
	}
	if err := change(c, "notify:add", func(hooks []app.Hook) ([]app.Hook, error) { return app.AddHook(hooks, h) }); err != nil {
		return err
	}
	c.Events().Step("%s is notified of %s of %s (%s)", h.Shown(), strings.Join(h.On, ", "), about(c), h.ID)
	switch {
	case c.Value("secret") != "":
	case c.Quiet:
		c.Print("%s\n", h.Secret)
	default: // not into the log of the host
		c.Private().Value("Secret: %s", h.Secret)
	}
	return nil
}

// private reports whether a URL names an address that is not of the public internet. A
// name is looked up when it is dialled.
func private(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return err == nil && !remote.Public(ip.Unmap().WithZone("")) || strings.EqualFold(u.Hostname(), "localhost")
}

func remove(c *cli.Call) error {
	var gone app.Hook
	err := change(c, "notify:remove", func(hooks []app.Hook) ([]app.Hook, error) {
		i, err := find(c, "notify:remove", hooks)
		if err != nil {
			return nil, err
		}
		gone = hooks[i]
		return slices.Delete(slices.Clone(hooks), i, i+1), nil
	})
	if err == nil {
		err = queue(c).Forget(gone.ID)
	}
	if err == nil {
		c.Events().Step("%s is not notified of %s any more", gone.Shown(), about(c))
	}
	return err
}

// test posts to the hooks one after the other, so that their lines have an order.
func test(c *cli.Call) error {
	hooks, err := hooksOf(c)
	if err != nil {
		return err
	}
	set, err := c.Server.Settings()
	if err != nil {
		return err
	}
	if len(c.Args) > 0 {
		i, err := find(c, "notify:test", hooks)
		if err != nil {
			return err
		}
		hooks = hooks[i : i+1]
	}
	if len(hooks) == 0 {
		return cli.Refuse("No address is notified of %s: dokku notify:add adds one", about(c))
	}
	poster := notify.Poster{Private: set.PrivateHooks}
	failed := 0
	for _, h := range hooks {
		n := notify.NewTest(appName(c), c.Server.Env.By)
		start := time.Now()
		answer, err := poster.Post(c.Ctx, h, n)
		switch {
		case c.Ctx.Err() != nil:
			return context.Cause(c.Ctx)
		case err != nil:
			failed++
			c.Warn("%s (%s): %s", h.Shown(), h.ID, err)
		default:
			c.Print("       %s (%s) answers %d in %s\n", h.Shown(), h.ID, answer.Status, time.Since(start).Round(time.Millisecond))
			if err := queue(c).Took(h.ID, answer.Status, time.Now()); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return cli.ErrSilent
	}
	return nil
}

// hook is a hook as --format json has it.
type hook struct {
	ID     string    `json:"id"`
	App    string    `json:"app"` // "": all apps
	URL    string    `json:"url"`
	On     []string  `json:"on"`
	Format string    `json:"format"`
	Added  time.Time `json:"added"`
	By     string    `json:"by"`
	notify.State
	Pending int `json:"pending"`
}

// shown returns hooks for people, with what became of their notifications.
func shown(c *cli.Call, owner string, hooks []app.Hook) (list []hook, err error) {
	for _, h := range hooks {
		waiting, err := queue(c).Pending(h.ID)
		if err != nil {
			return nil, err
		}
		list = append(list, hook{h.ID, owner, h.Shown(), h.On, h.Format, h.Added, h.By, queue(c).State(h.ID), len(waiting)})
	}
	return list, nil
}

// allHooks returns the hooks of the server, and of the command's app or of all apps.
func allHooks(c *cli.Call) ([]hook, error) {
	set, err := c.Server.Settings()
	if err != nil {
		return nil, err
	}
	list, err := shown(c, "", set.Hooks)
	if err != nil {
		return nil, err
	}
	if c.Flag("global") {
		return list, nil
	}
	names := []string{appName(c)}
	if c.App == nil {
		if names, err = c.Server.Env.Store.Apps(); err != nil {
			return nil, err
		}
	}
	for _, name := range names {
		a, err := c.Server.Load(name)
		if err != nil {
			return nil, err
		}
		own, err := shown(c, name, a.State.Hooks)
		if err != nil {
			return nil, err
		}
		list = append(list, own...)
	}
	return list, nil
}
