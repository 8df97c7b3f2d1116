package command

import (
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/command/services"
	"dokku/agent/keys"
)

// table returns all commands, as Execute has them.
func table(root string) (list []cli.Spec) {
	for _, group := range groups {
		list = append(list, group...)
	}
	return append(list, services.Commands(root)...)
}

// TestEveryCommandHasARole: a command whose author did not think about who may run it does
// not get in. A role between anybody and admin needs an app, a service, or a command that shows
// by itself only what is the key's.
func TestEveryCommandHasARole(t *testing.T) {
	for _, s := range table(t.TempDir()) {
		words := strings.Fields(s.Use)
		switch {
		case s.Role < cli.Anybody || s.Role > cli.Admin:
			t.Errorf("%s declares no role", words[0])
		case s.Role == cli.Admin || aboutApp(s) || s.Scoped || s.Service:
		case s.Role == cli.Anybody && s.Rootless:
		default:
			t.Errorf("%s is for %d, but about no app of the key", s.Use, s.Role)
		}
		if s.AppLast && !s.Service {
			t.Errorf("%s: nobody asks whose app the last word is", s.Use)
		}
	}
}

func aboutApp(s cli.Spec) bool {
	words := strings.Fields(s.Use)
	return len(words) > 1 && strings.Trim(words[1], "[].") == "APP"
}

// A refusal is a command line of a key, and the line that it gets.
type refusal struct{ line, want string }

// refusals returns, for every command of the table, the command lines that a key for the app hello
// alone is refused.
func refusals(key string, g keys.Grant, root string) (list []refusal) {
	role, article := cli.Deployer, "a deployer"
	if g.Role == keys.Operator {
		role, article = cli.Operator, "an operator"
	}
	needs := map[cli.Role]string{cli.Values: "a key with --config", cli.Operator: "an operator's key", cli.Admin: "an admin's key"}
	for _, s := range table(root) {
		words := strings.Fields(s.Use)
		name := words[0]
		said := func(line, want string) {
			list = append(list, refusal{line, " !     The key " + key + " may not " + want})
		}
		if s.Role > role {
			said(fill(words, "hello"), "run "+name+": it needs "+needs[s.Role]+", and this is "+article+"'s (dokku help shows what it may run)\n")
			continue
		}
		switch noun, _, _ := strings.Cut(name, ":"); {
		case s.Service && s.AppLast:
			said(name+" other hello", "use the service other (an admin can allow it with acl:add-service "+noun+" other "+key+")\n")
			said(name+" mine taken", noApp("taken", key))
		case s.Service:
			said(fill(words, ""), "use the service x (an admin can allow it with acl:add-service "+noun+" x "+key+")\n")
		case aboutApp(s):
			for _, other := range []string{"taken", "nosuch"} { // which look the same
				said(fill(words, other), noApp(other, key))
			}
			if words[1] == "[APP]" && !s.Scoped {
				said(name, "run "+name+" for the whole server: name one of its apps\n")
			}
			if s.Others != nil {
				said(name+" hello taken", noApp("taken", key))
			}
			if !s.Raw && !s.NewApp {
				said("--app taken "+name, noApp("taken", key))
			}
		}
		if s.Flags != nil && !s.Raw {
			f := pflag.NewFlagSet("", pflag.ContinueOnError)
			s.Flags(f)
			// A flag --all-... makes a command about all apps too.
			f.VisitAll(func(flag *pflag.Flag) {
				if flag.Name == "global" || strings.HasPrefix(flag.Name, "all") && flag.Value.Type() == "bool" {
					said(name+" --"+flag.Name, "use --"+flag.Name+": it needs an admin's key, and this is "+article+"'s\n")
				}
			})
		}
		if s.Raw {
			said(name+" --global", "run "+name+" for the whole server: name one of its apps\n")
		}
	}
	return list
}

func noApp(app, key string) string {
	return "use the app " + app + " (an admin can allow it with ssh-keys:set " + key + " --app " + app + ")\n"
}

// fill returns the command line of a usage line: an app, and x for every other word.
func fill(words []string, name string) string {
	line := words[:1:1]
	for n, word := range words[1:] {
		switch word = strings.Trim(word, "[]."); {
		case n == 0 && word == "APP":
			line = append(line, name)
		default:
			line = append(line, "x")
		}
	}
	return strings.Join(line, " ")
}

// TestEveryCommandAsksTheKey: whatever is outside of a key's role or of its apps gets one line
// and exit code 1, and changes nothing. The command lines come from the table, so none is left out.
func TestEveryCommandAsksTheKey(t *testing.T) {
	f := newFixture(t)
	f.user = "ci"
	for _, f.grant = range []keys.Grant{{Role: keys.Deployer, Apps: []string{"hello"}},
		{Role: keys.Operator, Apps: []string{"hello"}, Services: serviceGrants()}} {
		before := f.snapshot()
		list := refusals("ci", f.grant, f.root)
		for _, r := range list {
			f.expect(r.line, fails(1, r.want))
		}
		if f.snapshot() != before {
			t.Errorf("what a key of %s is refused has changed something", f.grant.Role)
		}
		if len(list) < 300 {
			t.Errorf("only %d command lines for %s", len(list), f.grant.Role)
		}
	}
}

// serviceGrants has a service mine of each kind.
func serviceGrants() (list []string) {
	for _, kind := range []string{"mariadb", "memcached", "mongo", "mysql", "postgres", "rabbitmq", "redis"} {
		list = append(list, kind+":mine")
	}
	return list
}

// TestWhatKeysMayDo: a key sees its apps and no others, and help has what it may run.
func TestWhatKeysMayDo(t *testing.T) {
	f := newFixture(t)
	f.user, f.grant = "ci", keys.Grant{Role: keys.Deployer, Apps: []string{"hello", "nosuch"}}
	f.expect("--quiet apps:list", ok("hello\n"))
	f.expect("apps:list --format json", ok(`["hello"]`+"\n"))
	f.expect("apps:exists hello", ok(""))
	f.expect("apps:exists nosuch", fails(20, " !     App nosuch does not exist\n"))
	f.expect("config:keys hello", ok("GREETING\nN\n"))
	f.expect("config:get hello N", fails(1, " !     The key ci may not run config:get: it needs a key with --config, and this is a deployer's (dokku help shows what it may run)\n"))
	f.expect("__complete logs x", fails(1, " !     The key ci may not complete words: it needs an admin's key, and this is a deployer's\n"))
	help := f.run("help").stdout
	for _, word := range []string{"    logs APP ", "    ps [APP] ", "\nThe key ci is a deployer's, for hello, nosuch. It may run these commands on them.\n"} {
		if !strings.Contains(help, word) {
			t.Errorf("help lacks %q:\n%s", word, help)
		}
	}
	for _, word := range []string{"ps:scale", "config:get", "ssh-keys", "postgres", "backup"} {
		if strings.Contains(help, word) {
			t.Errorf("help has %q", word)
		}
	}
	f.grant.Config = true
	f.expect("config:get hello N", ok("1\n"))

	f.grant = keys.Grant{Role: keys.Operator, Apps: []string{"hello"}}
	f.expect("ps:scale hello worker=2 --skip-deploy", ok("-----> Scaling hello processes: worker=2\n"))
	f.expect("apps:create other", fails(1, " !     The key ci may "+"not "+noApp("other", "ci")))
	if got := f.run("--quiet", "checks:report"); !strings.Contains(got.stdout, "hello checks information") || strings.Contains(got.stdout, "stopped") {
		t.Errorf("%s", got.stdout)
	}
	f.grant.Apps = []string{keys.AllApps}
	f.expect("apps:create other", ok("-----> Creating other...\n"))
	f.expect("network:set other attach-post-create x", fails(1, " !     The key ci may not use the property attach-post-create: it needs an admin's key, and this is an operator's\n"))
	f.expect("nginx:set other error-log-path off", fails(1, " !     The key ci may not use the property error-log-path: it needs an admin's key, and this is an operator's\n"))
	f.expect("docker-options:add other deploy -v db:/db", fails(1, " !     The key ci may not use the docker option -v: it needs an admin's key, and this is an operator's\n"))
	f.expect("builder-pack:set other image evil/builder", fails(1, " !     The key ci may not use the property image: it needs an admin's key, and this is an operator's\n"))

	// A client whose rights nobody has read may do nothing.
	f.grant = keys.Grant{Role: "root"}
	f.expect("apps:list", fails(1, " !     The key ci may not run apps:list: it needs , and this is nobody's (dokku help shows what it may run)\n"))
}

// TestReservedNames: only an admin gives an app a name that is another app's, above or below one,
// or one that an app to come gets.
func TestReservedNames(t *testing.T) {
	f := newFixture(t)
	f.state("taken", app.State{Domains: []string{"www.taken.org", "*.wild.org"}})
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"fresh", "www.taken.org"}}
	before := f.snapshot()
	for domain, why := range map[string]string{
		"*.taken.org":           "*.taken.org is, or may become, a name of another app",
		"*.org":                 "*.org is, or may become, a name of another app",
		"a.wild.org":            "a.wild.org is, or may become, a name of another app",
		"*.a.wild.org":          "*.a.wild.org is, or may become, a name of another app",
		"other.example.com":     "other.example.com is, or may become, a name of another app",
		"*.example.com":         "*.example.com is above the names that apps get below example.com",
		"example.com":           "example.com is above the names that apps get below example.com",
		"*.com":                 "*.com is above the names that apps get below example.com",
		"*.stopped.example.com": "*.stopped.example.com is, or may become, a name of another app",
		"203.0.113.7":           "203.0.113.7 is an address, which is no app's alone",
		"_":                     `"_" answers for all names that no app has, those of apps to come too`,
	} {
		want := " !     The key ops may not give this name to fresh: " + why + " (an admin may)\n"
		f.expect("domains:add fresh "+domain, fails(1, want))
		f.expect("domains:set fresh "+domain, fails(1, want))
	}
	f.expect("redirect:set fresh other.example.com www.fresh.org", fails(1, " !     The key ops may not give this name to fresh: other.example.com is, or may become, a name of another app (an admin may)\n"))
	f.expect("apps:create www.taken.org", fails(1, " !     The key ops may not make the app www.taken.org: www.taken.org is, or may become, a name of another app (an admin may)\n"))
	if f.snapshot() != before {
		t.Error("a refused name has changed something")
	}
	for _, domain := range []string{"www.fresh.org", "*.fresh.org", "a.fresh.example.com"} {
		if got := f.run("domains:add", "fresh", domain); got.code != 0 {
			t.Errorf("%s: %s", domain, got.stderr)
		}
	}
	f.user = ""
	if got := f.run("domains:add", "fresh", "*.taken.org"); got.code != 0 || !strings.Contains(got.stderr, "*.taken.org stands for www.taken.org too, a name of app taken") {
		t.Errorf("%+v", got)
	}
}

// TestCommandsOfRoles: the commands that give keys their rights.
func TestCommandsOfRoles(t *testing.T) {
	const one = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGIzqQ3kkUXJsXmAFeuIUpo2ZNpVEeGYrfEGhD9KlNFr"
	f := newFixture(t)
	f.stdin = one
	f.expect("ssh-keys:add ci --app hello", fails(1, " !     An admin's key is for every app: with --app, use --role operator or --role deployer too\n"))
	f.expect("ssh-keys:add ci --role root", fails(1, " !     Invalid role \"root\", valid values: admin, operator, deployer\n"))
	f.expect("ssh-keys:add ci --role deployer --app *", fails(1, " !     cannot add the key ci: a deployer's key names its apps: for every app, make it an operator's\n"))
	f.expect("ssh-keys:add ci --role deployer --app ../x", fails(1, " !     cannot add the key ci: \"../x\" is not the name of an app: it has a-z, 0-9, - and . alone, 63 at most\n"))
	f.expect("ssh-keys:add ci --role operator --config", fails(1, " !     cannot add the key ci: --config is for a deployer's key: operators and admins read the config anyway\n"))
	f.expect("ssh-keys:add ci --expires 2020-01-01", fails(1, " !     invalid value \"2020-01-01\" for --expires: it is over\n"))
	f.expect("ssh-keys:add ci --expires soon", fails(1, " !     invalid value \"soon\" for --expires: use a date (2027-01-31), a time (2027-01-31T12:00:00Z), a duration (12h, 30d, 8w), or never\n"))
	f.expect("acl:add hello ci", result{stderr: " !     There is no key ci yet: dokku ssh-keys:add ci --role deployer < KEY.pub\n"})
	f.expect("acl:add hello ci", result{stderr: "User already has permissions to push to this repository\n", code: 2})
	added := f.run("ssh-keys:add", "ci", "--role", "deployer", "--app", "fresh", "--expires", "2199-01-31")
	fingerprint := strings.TrimSpace(added.stdout)
	line := ` NAME="ci" SSHCOMMAND_ALLOWED_KEYS="restrict,pty" ROLE="deployer" APPS="fresh,hello" EXPIRES="2199-02-01T00:00:00Z"` + "\n"
	f.expect("ssh-keys:list", ok(fingerprint+line))
	f.expect("acl:list hello", ok("ci\n"))
	f.expect("acl:allowed ci", ok("fresh\nhello\n"))
	f.expect("ssh-keys:set ci --no-app --app hello --config --expires never", ok(`NAME="ci" ROLE="deployer" APPS="hello" CONFIG="true"`+"\n"))
	f.expect("ssh-keys:set ci --role operator", ok(`NAME="ci" ROLE="operator" APPS="hello"`+"\n"))
	f.expect("ssh-keys:list --format json", ok(`[{"name":"ci","fingerprint":"`+fingerprint+`","SSHCOMMAND_ALLOWED_KEYS":"restrict,pty","role":"operator","apps":["hello"]}]`+"\n"))
	f.expect("ssh-keys:set ci", fails(1, " !     Missing --role, --app, --no-app, --config, --no-config or --expires\n !     Usage: dokku ssh-keys:set NAME\n"))
	f.expect("ssh-keys:set nobody --role admin", fails(1, " !     cannot change the key \"nobody\": there is no such key: dokku ssh-keys:list shows all\n"))
	f.expect("acl:remove hello ci", ok(""))
	f.expect("acl:remove hello ci", ok(""))
	f.expect("acl:list hello", ok(""))
	// Without its last app, an operator is for none, and not for every one.
	f.expect("ssh-keys:list", ok(fingerprint+` NAME="ci" SSHCOMMAND_ALLOWED_KEYS="restrict,pty" ROLE="operator" APPS=""`+"\n"))
	f.expect("ssh-keys:set ci --role admin", ok(`NAME="ci" ROLE="admin"`+"\n"))
	f.expect("ssh-keys:set ci --role operator", ok(`NAME="ci" ROLE="operator" APPS="*"`+"\n"))
	f.expect("acl:add-service redis q ci", fails(1, " !     Service q of type redis does not exist\n"))
	f.expect("acl:list-service nosuch q", fails(1, " !     Service q of type nosuch does not exist: there is no such type\n"))
	f.expect("acl:report hello --acl-allowed-users", ok("\n"))

	// The keys of an app follow it, and end with it.
	f.run("ssh-keys:set", "ci", "--no-app", "--app", "fresh")
	f.run("apps:rename", "fresh", "newer")
	f.expect("acl:list newer", ok("ci\n"))
	if err := keys.RenameApp(f.root, "newer", ""); err != nil {
		t.Fatal(err)
	}
	f.expect("acl:list newer", ok(""))
	at := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{"never": {}, "2027-01-31": at.Add(12 * time.Hour), "12h": at.Add(12 * time.Hour), "30d": at.AddDate(0, 0, 30), "2w": at.AddDate(0, 0, 14)} {
		if got, err := keys.ParseExpiry(text, at); err != nil || !got.Equal(want) {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}
