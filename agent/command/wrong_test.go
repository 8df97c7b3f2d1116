package command

import (
	"strconv"
	"strings"
	"testing"
)

// wrongLines are command lines that are refused, and the first line of what is
// said about each; words may be quoted as in Go. "20" says that the exit code is
// not 1.
const wrongLines = `
# unknown commands
foo                                => ${"\x60foo\x60 is not a dokku command."}
ps:scal hello web=2                => ${"\x60ps:scal\x60 is not a dokku command."}
PS:SCALE hello web=2               => ${"\x60PS:SCALE\x60 is not a dokku command."}
"ps:scale hello web=2"             => ${"\x60ps:scale hello web=2\x60 is not a dokku command."}
""                                 => ${"\x60\x60 is not a dokku command."}
" "                                => ${"\x60 \x60 is not a dokku command."}
"\x1b[31mps"                       => ${"\x60ps\x60 is not a dokku command."}
"ps\nscale"                        => ${"\x60ps scale\x60 is not a dokku command."}
"$(reboot)"                        => ${"\x60$(reboot)\x60 is not a dokku command."}
"; reboot"                         => ${"\x60; reboot\x60 is not a dokku command."}
../../bin/sh                       => ${"\x60../../bin/sh\x60 is not a dokku command."}
git-receive-pack hello             => ${"\x60git-receive-pack\x60 is not a dokku command."}
hello ps:scale                     => ${"\x60hello\x60 is not a dokku command."}
shell admin                        => ${"\x60shell\x60 is not a dokku command."}
agent                              => ${"\x60agent\x60 is not a dokku command."}
help nonsense                      => ${"\x60nonsense\x60 is not a dokku command."}
help ps:scale hello                => Unexpected argument "hello"
apps:help hello                    => Unexpected argument "hello" after apps:help, which prints help
config hello x                     => Unexpected argument "x"
config nosuch                      => 20 App nosuch does not exist
version 2                          => Unexpected argument "2"
completion                         => Missing SHELL: bash, zsh or fish
completion tcsh                    => Invalid shell "tcsh", valid values: bash, zsh, fish
completion bash zsh                => Unexpected argument "zsh"

# flags before the command
--foo ps                           => Invalid flag --foo for ps, valid flags: --app
--foo apps:list                    => Invalid flag --foo for apps:list, valid flags: --app
--foo=1 nosuch                     => ${"\x60nosuch\x60 is not a dokku command."}
--foo                              => Invalid flag --foo before the command, valid flags: --quiet, --trace, --force, --no-wait, --app NAME
-x                                 => Invalid flag -x before the command, valid flags: --quiet, --trace, --force, --no-wait, --app NAME
--app                              => --app needs the name of an app
--app= ps:start                    => --app needs the name of an app
--app "" ps:start                  => --app needs the name of an app
--quiet=yes apps:list              => Invalid flag --quiet=yes before the command, valid flags: --quiet, --trace, --force, --no-wait, --app NAME
--app hello ps:restartall          => ps:restartall takes no app, but --app hello was given
--app hello ps:start fresh         => Unexpected argument "fresh"
--app nosuch ps:start              => 20 App nosuch does not exist
--app hello ps:start --all         => --app hello cannot be used together with --global or --all
--app hello config:set --global A=1 => --app hello cannot be used together with --global or --all
--app hello ps:report fresh        => Unexpected argument "fresh"

# no app
ps:start                           => Please specify an app to run the command on
ps:stop                            => Please specify an app to run the command on
ps:restart                         => Please specify an app to run the command on
ps:rebuild                         => Please specify an app to run the command on
ps:scale                           => Please specify an app to run the command on
ps:scale ""                        => Please specify an app to run the command on
ps:set                             => Please specify an app to run the command on
apps:create                        => Please specify an app to run the command on
apps:create ""                     => Please specify an app to run the command on
apps:destroy                       => Please specify an app to run the command on
apps:destroy --force               => Please specify an app to run the command on
apps:exists                        => Please specify an app to run the command on
config:set                         => Please specify an app to run the command on
config:get                         => Please specify an app to run the command on
config:unset                       => Please specify an app to run the command on
config:show                        => Please specify an app to run the command on
config:export                      => Please specify an app to run the command on
config:keys                        => Please specify an app to run the command on
config:clear                       => Please specify an app to run the command on
domains:add                        => Please specify an app to run the command on
domains:remove                     => Please specify an app to run the command on
domains:set                        => Please specify an app to run the command on
domains:clear                      => Please specify an app to run the command on
checks:run                         => Please specify an app to run the command on
checks:set                         => Please specify an app to run the command on
proxy:enable                       => Please specify an app to run the command on
proxy:disable                      => Please specify an app to run the command on
git:set                            => Please specify an app to run the command on
urls                               => Please specify an app to run the command on

# an app that does not exist
ps nosuch                          => 20 App nosuch does not exist
ps:start nosuch                    => 20 App nosuch does not exist
ps:stop nosuch                     => 20 App nosuch does not exist
ps:restart nosuch                  => 20 App nosuch does not exist
ps:rebuild nosuch                  => 20 App nosuch does not exist
ps:scale nosuch                    => 20 App nosuch does not exist
ps:scale nosuch web=1              => 20 App nosuch does not exist
ps:report nosuch                   => 20 App nosuch does not exist
ps:set nosuch restart-policy no    => 20 App nosuch does not exist
apps:exists nosuch                 => 20 App nosuch does not exist
apps:destroy nosuch                => 20 App nosuch does not exist
apps:destroy nosuch --force        => 20 App nosuch does not exist
config:set nosuch A=1              => 20 App nosuch does not exist
config:get nosuch A                => 20 App nosuch does not exist
config:unset nosuch A              => 20 App nosuch does not exist
config:show nosuch                 => 20 App nosuch does not exist
domains:add nosuch a.example.com   => 20 App nosuch does not exist
domains:report nosuch              => 20 App nosuch does not exist
checks:run nosuch                  => 20 App nosuch does not exist
checks:set nosuch wait 1           => 20 App nosuch does not exist
proxy:disable nosuch               => 20 App nosuch does not exist
git:set nosuch deploy-branch main  => 20 App nosuch does not exist
urls nosuch                        => 20 App nosuch does not exist

# names that cannot be an app's
ps:start HELLO                     => App name "HELLO" is not valid
ps:start ../hello                  => App name "../hello" is not valid
ps:start ..                        => App name ".." is not valid
ps:start .dokku                    => App name ".dokku" is not valid
ps:start hello/                    => App name "hello/" is not valid
ps:start /home/dokku/hello         => App name "/home/dokku/hello" is not valid
ps:start "hello world"             => App name "hello world" is not valid
ps:start "hello\nworld"            => App name "hello\nworld" is not valid
ps:start "\x1b]0;x\x07"            => App name "\x1b]0;x\a" is not valid
apps:create Hello                  => App name "Hello" is not valid
apps:create a_b                    => App name "a_b" is not valid
apps:create a..b                   => App name "a..b" is not valid
apps:create ../evil                => App name "../evil" is not valid
apps:create -- -x                  => App name "-x" is not valid
apps:create a.git                  => App name "a.git" is not valid
apps:create aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa => App name "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is not valid
apps:create hello                  => Name is already taken: app hello exists
apps:create new two                => Unexpected argument "two"
apps:create new --force-it         => Invalid flag --force-it for apps:create
apps:destroy hello fresh           => Unexpected argument "fresh"
apps:list hello                    => Unexpected argument "hello"
apps:exists hello fresh            => Unexpected argument "fresh"

# ps
ps hello extra                     => Unexpected argument "extra"
ps:start hello extra               => Unexpected argument "extra"
ps:start hello --force=maybe       => Invalid value "maybe" for --force
ps:start --nope hello              => Invalid flag --nope for ps:start
ps:start -x hello                  => Invalid flag -x for ps:start
ps:start --all hello               => Unable to start all apps when specifying a process name
ps:restart --all hello web         => Unable to restart all apps when specifying a process name
ps:restart --all web               => Unable to restart all apps when specifying a process name
ps:restart hello fresh taken       => Unexpected argument "taken"
ps:restart hello --all             => Unable to restart all apps when specifying a process name
ps:restart fresh web               => App fresh has not been deployed
ps:restart hello clock             => clock is not a valid process name to restart
ps:inspect                         => Please specify an app to run the command on
ps:inspect nosuch                  => 20 App nosuch does not exist
ps:inspect fresh                   => App fresh has not been deployed
ps:inspect hello web               => Unexpected argument "web"
ps:inspect hello --format json     => Invalid flag --format for ps:inspect
ps:restore nosuch                  => 20 App nosuch does not exist
ps:restore fresh                   => App fresh has not been deployed
ps:restore hello web               => Unexpected argument "web"
ps:rebuild fresh                   => App fresh has not been deployed
ps:set hello procfile-path /etc/passwd => Invalid procfile-path specified: "/etc/passwd" is not a path of a file in the repository
ps:set hello procfile-path ../Procfile => Invalid procfile-path specified: "../Procfile" is not a path of a file
ps:set hello procfile-path a/../../b   => Invalid procfile-path specified: "a/../../b" is not a path of a file
ps:set hello procfile-path "a\x1b[2Jb" => Invalid procfile-path specified: "ab" is not a path of a file
ps:set hello procfile-path a//b    => Invalid procfile-path specified: "a//b" is not a path of a file
ps:set hello skip-deploy maybe     => Invalid skip-deploy specified: "maybe" is neither true nor false
ps:set hello skip-deploy 1         => Invalid skip-deploy specified: "1" is neither true nor false
ps:set hello start-cmd "a 'b"      => Invalid start-cmd specified: 
ps:set hello dockerfile-start-cmd "a $(" => Invalid dockerfile-start-cmd specified: 
ps:set --global start-cmd x        => Property cannot be specified globally
ps:set --global dockerfile-start-cmd x => Property cannot be specified globally
checks:disable                     => Please specify an app to run the command on
checks:disable nosuch              => 20 App nosuch does not exist
checks:disable hello clock         => Invalid process type specified (clock): hello has web, worker
checks:disable hello web,clock     => Invalid process type specified (clock): hello has web, worker
checks:disable hello web.1         => Invalid process type specified (web.1)
checks:disable hello ,             => Invalid process type specified ()
checks:disable fresh "we b"        => Invalid process type specified (we b)
checks:enable                      => Please specify an app to run the command on
checks:enable hello --all          => Invalid flag --all for checks:enable
checks:skip nosuch web             => 20 App nosuch does not exist
checks:skip hello ../web           => Invalid process type specified (../web)
checks:run hello clock             => Invalid process type specified (clock): hello has web, worker
checks:run hello web.0             => Invalid process type specified (web.0)
checks:run hello web.x             => Invalid process type specified (web.x)
checks:set hello disabled "a b!"   => disabled cannot be "a b!": "b!" is not a process type
checks:set hello skip ,;           => skip cannot be ",;": ";" is not a process type
ps:restart --parallel              => --parallel needs a value
ps:restart --all --parallel 0      => Invalid value 0 for --parallel flag
ps:restart --all --parallel -2     => Invalid value -2 for --parallel flag
ps:restart --all --parallel two    => Invalid value two for --parallel flag
ps:restart --all --parallel 1.5    => Invalid value 1.5 for --parallel flag
ps:restart --all --parallel ""     => Invalid value  for --parallel flag
ps:restart hello --parallel=x      => Invalid value x for --parallel flag
ps:restart fresh                   => App fresh has not been deployed
ps:rebuild fresh                   => App fresh has not been deployed
ps:restartall hello                => Unexpected argument "hello"
ps:restartall --parallel 0         => Invalid value 0 for --parallel flag
ps:rebuildall hello                => Unexpected argument "hello"
ps:rebuildall --parallel x         => Invalid value x for --parallel flag
deploy:all hello                   => Unexpected argument "hello"
deploy:all --parallel x            => Invalid value x for --parallel flag
ps:scale hello web                 => Missing count for process type web
ps:scale hello web=                => Invalid count for process type web
ps:scale hello web=two             => Invalid count for process type web
ps:scale hello web=-1              => Invalid count for process type web
ps:scale hello web=1+1             => Invalid count for process type web
ps:scale hello web=1.5             => Invalid count for process type web
ps:scale hello "web= 1"            => Invalid count for process type web
ps:scale hello web=1 worker        => Missing count for process type worker
ps:scale hello web=1 web=2         => Invalid count for process type web: it is given as 1 and as 2
ps:scale hello =1                  => ${" is not a valid process name to scale up"}
ps:scale hello nosuch=1            => nosuch is not a valid process name to scale up
ps:scale hello release=1           => release is not a valid process name to scale up
ps:scale hello ../web=1            => ../web is not a valid process name to scale up
ps:scale hello "$(id)=1"           => $(id) is not a valid process name to scale up
ps:scale hello web=1 --nope        => Invalid flag --nope for ps:scale
ps:scale hello --format xml        => Invalid format "xml", valid values: stdout, json
ps:scale hello --format            => --format needs a value
ps:scale hello web=1 --format json => --format json shows the formation and cannot be used to change it
ps:scale hello --skip-deploy       => --skip-deploy needs counts to store
ps:scale shipped web=3             => App shipped contains a DOKKU_SCALE file and cannot be manually scaled
ps:scale shipped web=3 --skip-deploy => App shipped contains a DOKKU_SCALE file and cannot be manually scaled
ps:set hello                       => No property specified
ps:set hello ""                    => No property specified
ps:set hello nosuch 1              => Invalid property specified, valid properties include: dockerfile-start-cmd, init, max-image-ports, max-processes, max-runs, procfile-path, restart-policy, rollover, server-max-processes, server-max-runs, skip-deploy, start-cmd, stop-timeout-seconds
ps:set hello restart-policy maybe  => Invalid restart-policy specified: use no, always, unless-stopped, on-failure or on-failure:N
ps:set hello restart-policy on-failure:x => Invalid restart-policy specified: use no, always, unless-stopped, on-failure or on-failure:N
ps:set hello restart-policy always:3 => Invalid restart-policy specified: use no, always, unless-stopped, on-failure or on-failure:N
ps:set hello init off              => Invalid init specified: "off" is neither true nor false
ps:set hello stop-timeout-seconds x => Invalid stop-timeout-seconds specified: "x" is not a whole number of seconds from 0 to 3600
ps:set hello stop-timeout-seconds -1 => Invalid stop-timeout-seconds specified: "-1" is not a whole number of seconds from 0 to 3600
ps:set hello stop-timeout-seconds 1 2 => Unexpected argument "2"
ps:set --global                    => No property specified
ps:set --global nosuch 1           => Invalid property specified, valid properties include: dockerfile-start-cmd, init, max-image-ports, max-processes, max-runs, procfile-path, restart-policy, rollover, server-max-processes, server-max-runs, skip-deploy, start-cmd, stop-timeout-seconds
ps:report hello --deployed --running => ps:report command allows only a single flag
ps:report hello --nosuch           => Invalid flag passed, valid flags: --deployed
ps:report --nosuch                 => Invalid flag passed, valid flags: --deployed
ps:report hello -d                 => Invalid flag passed, valid flags: --deployed
ps:report hello --status-          => Invalid flag passed, valid flags: --deployed
ps:report fresh --status-web-1     => Invalid flag passed, valid flags: --deployed
ps:report hello fresh              => Unexpected argument "fresh"
ps:report hello --format           => --format needs a value: stdout or json
ps:report hello --format xml       => Invalid format "xml", valid values: stdout, json
ps:report hello --deployed --format json => --format flag cannot be specified when specifying an info flag
ps:report hello --app              => --app needs the name of an app

# config
config:set hello                   => At least one env pair must be given
config:set --global                => At least one env pair must be given
config:set hello A                 => Invalid env pair: A
config:set hello A=1 B             => Invalid env pair: B
config:set hello =1                => Invalid key name: ''
config:set hello 1A=1              => Invalid key name: '1A'
config:set hello A-B=1             => Invalid key name: 'A-B'
config:set hello "A B=1"           => Invalid key name: 'A B'
config:set hello "A\nB=1"          => Invalid key name: 'A B'
config:set hello Ä=1               => Invalid key name: 'Ä'
config:set hello "A=\x00"          => Invalid value for key 'A': it contains a NUL byte, which an environment cannot hold
config:set hello "A=\xff"          => Invalid value for key 'A': it is not valid UTF-8 and cannot be stored unchanged
config:set hello --encoded A=%%%   => illegal base64 data at input byte 0 for key 'A'
config:set hello A=1 --restart     => Invalid flag --restart for config:set
config:set hello --global A=1      => Invalid env pair: hello
config:get hello                   => Expected: key
config:get hello A B               => Unexpected argument "B"
config:get hello a-b               => Invalid key name: 'a-b'
config:unset hello                 => At least one key must be given
config:unset hello a-b             => Invalid key name: 'a-b'
config:show hello A                => Unexpected argument "A"
config:keys hello A                => Unexpected argument "A"
config:clear hello A               => Unexpected argument "A"
config:export hello A              => Unexpected argument "A"
config:export hello --format xml   => Invalid format "xml", valid values: exports, shell, envfile, json

# domains
domains:add hello                  => Missing DOMAIN
domains:add hello http://a.b       => Invalid domain "http://a.b"
domains:add hello a_b.example.com  => Invalid domain "a_b.example.com"
domains:add hello -a.example.com   => Invalid flag -a.example.com for domains:add
domains:add hello a..b             => Invalid domain "a..b"
domains:add hello ..example.com    => Invalid domain ".example.com"
domains:add hello example.com.     => Invalid domain "example.com."
domains:add hello **               => Invalid domain "**"
domains:add hello *.*              => Invalid domain "*.*"
domains:add hello a.*.com          => Invalid domain "a.*.com"
domains:add hello "a.com; }"       => Invalid domain "a.com; }"
domains:add hello "a.com\nb.com"   => Invalid domain "a.com b.com"
domains:add hello a.com:80         => Invalid domain "a.com:80"
domains:add hello ok.com bad_.com  => Invalid domain "bad_.com"
domains:remove hello               => Missing DOMAIN
domains:set hello                  => Missing DOMAIN
domains:set hello bad_             => Invalid domain "bad_"
domains:clear hello example.com    => Unexpected argument "example.com"
domains:set-global                 => Missing DOMAIN
domains:set-global bad_            => Invalid domain "bad_"
domains:set-global *.example.com   => Invalid domain "*.example.com": leave out the *., since apps get names below it
domains:report hello --nosuch      => Invalid flag passed, valid flags: --domains-app-enabled

# checks, proxy, git
checks:run fresh                   => App fresh has not been deployed
checks:run hello web worker extra!  => Invalid process type specified (extra!)
checks:set hello                   => No property specified
checks:set hello nosuch 1          => Invalid property specified, valid properties include: wait
checks:set hello wait x            => wait cannot be "x"
checks:set hello attempts 0        => attempts cannot be "0"
checks:set hello attempts 101      => attempts cannot be "101"
checks:set hello timeout 0         => timeout cannot be "0"
checks:set --global wait x         => wait cannot be "x"
checks:set hello wait 1 2          => Unexpected argument "2"
checks:report hello --nosuch       => Invalid flag passed, valid flags: --checks-attempts
proxy:enable hello web             => Unexpected argument "web"
proxy:disable hello web            => Unexpected argument "web"
proxy:report hello --nosuch        => Invalid flag passed, valid flags: --proxy-computed-disabled
git:set hello                      => No property specified
git:set hello nosuch main          => Invalid property specified, valid properties include: deploy-branch
git:set hello deploy-branch a..b   => Invalid deploy-branch specified: "a..b" is not the name of a branch
git:set hello deploy-branch "a b"  => Invalid deploy-branch specified: "a b" is not the name of a branch
git:set hello deploy-branch HEAD   => Invalid deploy-branch specified: "HEAD" is not the name of a branch
git:set hello deploy-branch x.lock => Invalid deploy-branch specified: "x.lock" is not the name of a branch
git:set hello deploy-branch -- -x  => Invalid deploy-branch specified: "-x" is not the name of a branch
git:report hello --nosuch          => Invalid flag passed, valid flags: --git-color, --git-computed-archive-max-files, --git-computed-archive-max-size, --git-computed-color

# urls, keys
urls hello web                     => Unexpected argument "web"
ssh-keys:add                       => Missing NAME
ssh-keys:add a b c                 => Unexpected argument "c"
ssh-keys:remove                    => Missing NAME
ssh-keys:remove a b                => Unexpected argument "b"
ssh-keys:list --format xml         => Invalid format "xml", valid values: text, json
`

func TestWrongCommandLines(t *testing.T) {
	f := newFixture(t)
	before := f.snapshot()
	count := 0
	for line := range strings.SplitSeq(wrongLines+wrongLogLines+wrongAttachLines+wrongAppLines+wrongRunLines+wrongBackupLines, "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		count++
		command, want, _ := strings.Cut(line, "=> ")
		code := 1
		if rest, ok := strings.CutPrefix(want, "20 "); ok {
			code, want = 20, rest
		}
		if quoted, ok := strings.CutPrefix(want, "${"); ok {
			var err error
			if want, err = strconv.Unquote(strings.TrimSuffix(quoted, "}")); err != nil {
				t.Fatalf("%s: %s", line, err)
			}
		}
		got := f.run(split(t, command)...)
		first, _, _ := strings.Cut(got.stderr, "\n")
		if !strings.HasPrefix(first, " !     "+want) || got.code != code {
			t.Errorf("dokku %s\n got %d %q\nwant %d %q", command, got.code, first, code, " !     "+want)
		}
		if got.stdout != "" {
			t.Errorf("dokku %s printed %q", command, got.stdout)
		}
		for line := range strings.SplitSeq(strings.TrimSuffix(got.stderr, "\n"), "\n") {
			if !strings.HasPrefix(line, " !     ") || strings.ContainsAny(line, "\x1b\a\r") {
				t.Errorf("dokku %s: stderr has the line %q", command, line)
			}
		}
	}
	if after := f.snapshot(); after != before {
		t.Errorf("the state has changed:\n%s\nbefore:\n%s", after, before)
	}
	if count < 500 {
		t.Errorf("only %d command lines", count)
	}
}

// split splits at blanks; a word in double quotes is read as in Go.
func split(t *testing.T, line string) []string {
	t.Helper()
	var words []string
	for line = strings.TrimLeft(line, " "); line != ""; line = strings.TrimLeft(line, " ") {
		if quoted, err := strconv.QuotedPrefix(line); err == nil && line[0] == '"' {
			word, err := strconv.Unquote(quoted)
			if err != nil {
				t.Fatal(err)
			}
			words, line = append(words, word), line[len(quoted):]
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		words, line = append(words, word), rest
	}
	return words
}
