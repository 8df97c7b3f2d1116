package command

import (
	"slices"
	"strings"
	"testing"
)

// commands are the names that help lists.
func commands(f *fixture) []string {
	var names []string
	for line := range strings.SplitSeq(f.run("help").stdout, "\n") {
		if rest, ok := strings.CutPrefix(line, "    "); ok {
			names = append(names, strings.Fields(rest)[0])
		}
	}
	return names
}

func TestHelpListsEveryCommandOnce(t *testing.T) {
	f := newFixture(t)
	names := commands(f)
	for _, name := range []string{"ps", "ps:start", "ps:stop", "ps:restart", "ps:restartall", "ps:rebuild", "ps:rebuildall",
		"ps:scale", "ps:report", "ps:set", "deploy:all", "apps:create", "apps:destroy", "apps:exists", "apps:list",
		"apps:lock", "apps:locked", "apps:rename", "apps:report", "apps:unlock", "cleanup", "url", "proxy:set",
		"ports:add", "ports:clear", "ports:list", "ports:remove", "ports:report", "ports:set",
		"domains:add-global", "domains:remove-global", "domains:clear-global", "domains:disable", "domains:enable", "domains:reset",
		"config:set", "config:get", "config:unset", "config:show", "config:export", "config:keys", "config:clear",
		"domains:add", "domains:remove", "domains:set", "domains:clear", "domains:report", "domains:set-global",
		"checks:run", "checks:set", "checks:report", "proxy:enable", "proxy:disable", "proxy:report",
		"storage:ensure-directory", "storage:list", "storage:mount", "storage:report", "storage:unmount",
		"network:create", "network:destroy", "network:exists", "network:info", "network:list", "network:rebuild",
		"network:report", "network:set", "resource:limit", "resource:limit-clear", "resource:report", "resource:reserve",
		"resource:reserve-clear", "git:set", "git:report",
		"builder:set", "builder:report", "builder-dockerfile:set", "builder-dockerfile:report", "builder-pack:set", "builder-pack:report",
		"app-json:set", "app-json:report", "docker-options:add", "docker-options:clear", "docker-options:list", "docker-options:remove", "docker-options:report", "docker-options:set",
		"run", "run:detached", "run:list", "run:logs", "run:stop", "enter",
		"logs", "logs:failed", "deploys:log", "urls", "ssh-keys:add", "ssh-keys:list", "ssh-keys:remove", "backup", "restore", "doctor", "version", "help", "completion"} {
		if n := count(names, name); n != 1 {
			t.Errorf("help lists %s %d times", name, n)
		}
	}
	for _, name := range names {
		short := f.run("help", name)
		long := f.run(name, "--help")
		if name == "ps" || name == "config" {
			short = long // help is about all of ps, or config
		}
		if short != long || short.code != 0 || short.stderr != "" || !strings.HasPrefix(short.stdout, "Usage: dokku "+name) {
			t.Errorf("help of %s:\n%+v\n%+v", name, short, long)
		}
	}
}

// TestHelpHasALineForEachNoun: Dokku's help does, and scripts look for its lines.
func TestHelpHasALineForEachNoun(t *testing.T) {
	f := newFixture(t)
	help := f.run("help").stdout
	for heading, first := range map[string]string{
		"Manage apps":                                              "apps:clone",
		"Manage buildpack settings for an app":                     "buildpacks:add",
		"Manage SSL (TLS) certs":                                   "certs:add",
		"Manage docker options for an app":                         "docker-options:add",
		"Manage scheduler settings":                                "scheduler:report",
		"Manage the docker-local scheduler integration for an app": "scheduler-docker-local:report",
		"Other": "backup",
	} {
		if !strings.Contains(help, "\n"+heading+"\n    "+first+" ") {
			t.Errorf("%q does not stand above %s in\n%s", heading, first, help)
		}
	}
	if got := f.run("scheduler"); !strings.Contains(got.stdout, "\nManage scheduler settings\n") {
		t.Errorf("scheduler: %+v", got)
	}
}

func count(list []string, s string) int {
	return len(list) - len(slices.DeleteFunc(slices.Clone(list), func(x string) bool { return x == s }))
}

func TestHelpOfANoun(t *testing.T) {
	f := newFixture(t)
	want := f.run("ps:help")
	if want.code != 0 || !strings.Contains(want.stdout, "ps:scale APP [TYPE=COUNT...]") || strings.Contains(want.stdout, "apps:") {
		t.Errorf("%+v", want)
	}
	f.expect("ps", want)
	f.expect("help ps", want)
	config := f.run("config")
	if config.code != 0 || !strings.Contains(config.stdout, "config:set APP KEY=VALUE...") {
		t.Errorf("%+v", config)
	}
	f.expect("config:help", config)
	if run := f.run("run:help"); !strings.Contains(run.stdout, "run:stop [APP]") || !strings.Contains(run.stdout, "enter APP") {
		t.Errorf("%+v", run)
	}
	for _, name := range []string{"enter", "restore", "doctor", "cleanup", "url", "urls", "version", "completion", "help"} {
		f.expect(name+":help", f.run(name, "--help"))
	}
	for line, wanted := range map[string][]string{
		"deploys:help":   {"Manage deploys", "    deploys APP ", "    deploys:log APP [N] ", "--format"},
		"apps --help":    {"Usage: dokku apps[:COMMAND]\n\nManage apps\n\n", "    apps:create APP "},
		"certs -h":       {"Manage SSL (TLS) certs", "    certs:add APP [CRT] [KEY] "},
		"certs":          {"Manage SSL (TLS) certs"},
		"config --help":  {"Manage global and app-specific config vars", "    config [APP] "},
		"run --help":     {"Run a one-off process inside a container", "    run:detached ", "--env"},
		"events:help":    {"Manage event logging"},
		"cleanup --help": {"Usage: dokku cleanup [APP]"},
	} {
		got := f.run(strings.Fields(line)...)
		for _, w := range wanted {
			if got.code != 0 || !strings.Contains(got.stdout, w) {
				t.Errorf("%s: no %q in %+v", line, w, got)
			}
		}
	}
	f.expect("nosuch:help", fails(1, " !     `nosuch:help` is not a dokku command.\n !     See `dokku help` for a list of available commands.\n"))
	if got := f.run("logs:help"); !strings.Contains(got.stdout, "logs:failed") || !strings.Contains(got.stdout, "deploys:log") {
		t.Errorf("logs:help: %+v", got)
	}
	f.expect("logs:help hello", fails(1, " !     Unexpected argument \"hello\" after logs:help, which prints help\n"))
	f.expect("", f.run("help"))
	f.expect("--help", f.run("help"))
	f.expect("-h", f.run("help"))
	f.expect("--version", ok("dokku version 0.35.20\nagent version 0.2.0, revision 1.2.3\n"))
	f.expect("-v", ok("dokku version 0.35.20\nagent version 0.2.0, revision 1.2.3\n"))
	f.expect("version", ok("dokku version 0.35.20\nagent version 0.2.0, revision 1.2.3\n"))
}

func TestCompletion(t *testing.T) {
	f := newFixture(t)
	for _, shell := range []string{"bash", "zsh", "fish"} {
		if got := f.run("completion", shell); got.code != 0 || !strings.Contains(got.stdout, "dokku") {
			t.Errorf("%s: %+v", shell, got)
		}
	}
	for line, want := range map[string]string{
		"ps:scale ?":                     "fresh hello shipped stopped taken",
		"ps:scale h?":                    "hello",
		"ps:scale hello ?":               "web= worker=",
		"ps:scale hello web=1 wo?":       "worker=",
		"apps:create ?":                  "",
		"apps:list ?":                    "",
		"config:get hello ?":             "GREETING N",
		"ps:set hello ?":                 "dockerfile-start-cmd init max-image-ports max-processes max-runs procfile-path restart-policy rollover server-max-processes server-max-runs skip-deploy start-cmd stop-timeout-seconds",
		"ps:set --global ?":              "dockerfile-start-cmd init max-image-ports max-processes max-runs procfile-path restart-policy rollover server-max-processes server-max-runs skip-deploy start-cmd stop-timeout-seconds",
		"completion ?":                   "bash zsh fish",
		"help ps:sc?":                    "ps:scale",
		"domains:remove taken ?":         "taken.example.com",
		"proxy:report hello --proxy-en?": "--proxy-enabled",
		"logs hello -p ?":                "web worker",
		"run ?":                          "fresh hello shipped stopped taken",
		"run -e A=1 h?":                  "hello",
		"run hello ?":                    "web worker",
		"run hello web ?":                "",
		"enter hello w?":                 "web worker",
		"run:list hello --format ?":      "stdout json",
		"config:export hello --format ?": "exports shell envfile json json-list docker-args docker-args-keys",
		"ps:scal?":                       "ps:scale",
		"doctor h?":                      "hello",
		"doctor --format ?":              "stdout json",

		"resource:limit hello --process-type ?":      "web worker",
		"storage:ensure-directory data --chown her?": "herokuish heroku",
		"network:set hello ?":                        "attach-post-create attach-post-deploy bind-all-interfaces cloud-metadata host-ports initial-network static-web-listener tld",
	} {
		words := strings.Fields(strings.TrimSuffix(line, "?"))
		if strings.HasSuffix(line, " ?") {
			words = append(words, "")
		}
		got := f.run(append([]string{"__completeNoDesc"}, words...)...)
		list := strings.Split(strings.TrimSpace(got.stdout), "\n")
		if have := strings.Join(list[:len(list)-1], " "); have != want {
			t.Errorf("%s completes to %q, want %q (%s)", line, have, want, got.stderr)
		}
	}
}
