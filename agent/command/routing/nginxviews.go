package routing

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/event"
	"dokku/agent/proxy"
)

// nginxViews show what nginx has and says.
var nginxViews = []cli.Spec{
	{
		Use: "nginx:show-config APP", Role: cli.Operator, Short: "Show the nginx configuration by which the app is served",
		Run: showConfig,
	},
	{
		Use: "nginx:validate-config [APP]", Role: cli.Operator, Short: "Have nginx test its configuration",
		Long:      "nginx tests all files together: those of the apps, those that they include, and its own.",
		Elsewhere: map[string]string{"clean": "nothing has to be cleaned: nginx tests each file of an app before it takes effect"},
		Run:       validateConfig,
	},
	logSpec("access", "Show the requests that nginx logged for the app"),
	logSpec("error", "Show the errors that nginx logged for the app"),
}

func logSpec(kind, short string) cli.Spec {
	return cli.Spec{
		Use: "nginx:" + kind + "-logs APP", Role: cli.Operator, Short: short,
		Long: "It shows the last 20 lines; with -t also new ones, until you interrupt it.",
		Flags: func(f *pflag.FlagSet) {
			f.BoolP("tail", "t", false, "show new lines until interrupted")
		},
		Run: func(c *cli.Call) error { return showLog(c, kind) },
	}
}

func inspector(c *cli.Call) (proxy.Inspector, error) {
	set, err := c.Settings()
	if err != nil {
		return nil, err
	}
	return c.Server.Inspector(set)
}

func showConfig(c *cli.Call) error {
	px, err := inspector(c)
	if err != nil {
		return err
	}
	text, ok, err := px.Configuration(c.Ctx, c.App.Name)
	if err != nil {
		return err
	}
	if !ok {
		return cli.Refuse("No nginx.conf exists for %s", c.App.Name)
	}
	c.Print("%s", text)
	return nil
}

func validateConfig(c *cli.Call) error {
	px, err := inspector(c)
	if err != nil {
		return err
	}
	if c.App != nil {
		if _, _, err := px.Configuration(c.Ctx, c.App.Name); err != nil {
			return err
		}
	}
	return px.Validate(c.Ctx)
}

func showLog(c *cli.Call, kind string) error {
	v, err := c.View(c.App)
	if err != nil {
		return err
	}
	path := v.NginxLog(kind)
	if path == proxy.Off {
		return cli.Refuse("%s logs are disabled for this app", kind)
	}
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return cli.Refuse("nginx has not written %s yet: it does once %s is deployed", path, c.App.Name)
	case errors.Is(err, fs.ErrPermission):
		return cli.Refuse("cannot read %s: add the user dokku to the group of that file (usermod -aG adm dokku), or run this as root", path)
	case err != nil:
		return err
	}
	f.Close()
	// tail's -F goes on when logrotate puts the file aside.
	args := []string{"-n", "20", "--", path}
	if c.Flag("tail") {
		args = append([]string{"-F"}, args...)
	}
	return printLines(c.Ctx, c.Print, exec.CommandContext(c.Ctx, "tail", args...))
}

// printLines prints a command's output line by line. A visitor chose some of it, so it
// must not move a terminal's cursor.
func printLines(ctx context.Context, print func(string, ...any), cmd *exec.Cmd) error {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	for r := bufio.NewReader(out); err == nil; {
		var line string
		if line, err = r.ReadString('\n'); line != "" {
			print("%s\n", event.Printable(strings.TrimSuffix(line, "\n")))
		}
	}
	if werr := cmd.Wait(); errors.Is(err, io.EOF) {
		err = werr
	}
	if ctx.Err() != nil {
		return nil // the client has gone, which is the normal end
	}
	return err
}
