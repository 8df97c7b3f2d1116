package command

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"dokku/agent/app"
)

func TestRename(t *testing.T) {
	f := newFixture(t)
	f.state("fresh", app.State{Config: map[string]string{"A": "1"}, Domains: []string{"fresh.example.com", "www.example.org"}, Locked: true})
	f.expect("apps:rename fresh hello", fails(1, " !     Name is already taken: app hello exists\n"))
	// A crash before the commit leaves this, which means nothing.
	f.state("taken", app.State{Domains: []string{"taken.example.com"}, Renamed: &app.Renamed{From: "taken", Domains: []string{"x.org"}}})
	f.expect("domains:report taken --domains-app-vhosts", ok("taken.example.com\n"))
	f.expect("apps:create other", ok("-----> Creating other...\n"))
	if got := f.run("domains:set", "taken", "new.example.com"); got.code != 0 || got.stdout != "-----> Set new.example.com for taken\n" {
		t.Errorf("%+v", got)
	}
	f.expect("apps:rename other new", result{stdout: "-----> Renaming other to new\n", code: 1,
		stderr: " !     cannot rename other to new: domain new.example.com belongs to app taken: remove it there first (dokku domains:remove taken new.example.com)\n"})
	f.expect("apps:exists other", ok(""))

	// Without an engine the rename stands, and its error names the rest.
	got := f.run("apps:rename", "fresh", "newer")
	if got.stdout != "-----> Renaming fresh to newer\n" || got.code != 1 || !strings.Contains(got.stderr, "fresh is called newer now") {
		t.Errorf("%+v", got)
	}
	f.expect("apps:exists newer", ok(""))
	f.expect("apps:exists fresh", fails(20, " !     App fresh does not exist\n"))
	f.expect("config:get newer A", ok("1\n"))
	f.expect("domains:report newer --domains-app-vhosts", ok("newer.example.com www.example.org\n"))
	f.expect("apps:report newer --app-locked", ok("true\n"))
	if got := f.run("apps:create", "fresh"); got.code != 1 || !strings.Contains(got.stderr, "fresh is called newer now") {
		t.Errorf("%+v", got)
	}
}

func TestLock(t *testing.T) {
	f := newFixture(t)
	f.expect("apps:locked hello", fails(1, " !     Deploy lock does not exist\n"))
	f.expect("apps:lock hello", ok("-----> Deploy lock created\n"))
	f.expect("apps:lock hello", ok("-----> Deploy lock created\n"))
	f.expect("apps:locked hello", ok("Deploy lock exists\n"))
	f.expect("--quiet apps:locked hello", ok(""))
	f.expect("apps:report hello --app-locked", ok("true\n"))
	f.expect("ps:rebuild hello", fails(1, " !     hello currently has a deploy lock in place. Exiting...\n"+
		" !     Run 'apps:unlock hello' to release the existing deploy lock\n"))
	f.expect("config:get hello N", ok("1\n"))
	f.expect("apps:unlock hello", ok("-----> Deploy lock removed\n"))
	f.expect("apps:locked hello", fails(1, " !     Deploy lock does not exist\n"))
}

func TestAppsReport(t *testing.T) {
	f := newFixture(t)
	fi, err := os.Stat(f.root + "/hello/config")
	if err != nil {
		t.Fatal(err)
	}
	f.expect("apps:report hello", ok(fmt.Sprintf(`=====> hello app information
       App created at:                %d
       App deploy source:             git-push
       App deploy source metadata:    %s
       App dir:                       %s/hello
       App locked:                    false
`, fi.ModTime().Unix(), revision, f.root)))
	f.expect("apps:report fresh --app-deploy-source", ok("\n"))
	f.expect("apps:list --format json", ok(`["fresh","hello","shipped","stopped","taken"]`+"\n"))
	f.expect("apps:create new", ok("-----> Creating new...\n"))
	if got := f.run("apps:report", "new", "--app-created-at"); got.code != 0 || len(got.stdout) != len("1700000000\n") {
		t.Errorf("%+v", got)
	}
	f.terminal = true
	if got := f.run("apps:report", "hello"); !strings.HasPrefix(got.stdout, "=====> hello app information\n") {
		t.Errorf("%+v", got)
	}
}

func TestPortsCommands(t *testing.T) {
	f := newFixture(t)
	none := fails(1, " !     No port mappings configured for app\n !     Its default is http:80:5000\n")
	f.expect("ports:list fresh", none)
	f.expect("ports:list fresh --format json", ok("[]\n"))
	f.expect("ports:report fresh --ports-map", ok("\n"))
	f.expect("ports:report fresh --ports-map-detected", ok("http:80:5000\n"))
	f.expect("ports:add fresh http:48080:3000", result{stdout: "-----> Set port mappings for fresh: http:48080:3000\n",
		stderr: " !     Port 80, the default, is no longer served; to keep it: dokku ports:add fresh http:80:5000\n"})
	f.expect("ports:list fresh", ok("-----> Port mappings for fresh\n    -----> scheme  host port  container port\n    http           48080      3000\n"))
	f.expect("ports:add fresh http:80:5000 http:48080:3000", fails(1,
		" !     http:48080:3000 is mapped already: dokku ports:set APP MAPPING... sets all mappings, those that are there too\n"))
	f.expect("ports:add fresh http:80:5000", ok("-----> Set port mappings for fresh: http:80:5000 http:48080:3000\n"))
	f.expect("urls fresh", ok("http://fresh.example.com\nhttp://fresh.example.com:48080\n"))
	f.expect("url fresh", ok("http://fresh.example.com\n"))
	f.expect("ports:remove fresh 80", ok("-----> Set port mappings for fresh: http:48080:3000\n"))
	f.expect("ports:set fresh http:48081:5000 http:80:4000", ok("-----> Set port mappings for fresh: http:80:4000 http:48081:5000\n"))
	f.expect("ports:report fresh --ports-map", ok("http:80:4000 http:48081:5000\n"))
	f.expect("ports:remove fresh http:48081", ok("-----> Set port mappings for fresh: http:80:4000\n"))
	f.terminal = true
	f.expect("ports:list fresh", ok("-----> Port mappings for fresh\n    -----> scheme  host port  container port\n    http           80         4000\n"))
	f.expect("--quiet ports:list fresh", ok("    http  80  4000\n"))
	f.expect("ports:list fresh --format json", ok(`[{"scheme":"http","host_port":80,"container_port":4000}]`+"\n"))
	f.expect("ports:remove fresh 80", ok("-----> Set port mappings for fresh: http:80:5000\n"))
	f.expect("ports:list fresh", none)
	f.expect("ports:remove fresh 80", fails(1, " !     Port mapping 80 does not belong to app fresh, which has: none but the default http:80:5000\n"))
	f.terminal = false
	f.expect("ports:clear fresh", ok("-----> Cleared port mappings for fresh\n"))
	f.expect("ports:list fresh", none)
}

func TestConfigOrigins(t *testing.T) {
	f := newFixture(t)
	f.expect("config:set --global ALL=1 N=2 --no-restart", ok("-----> Setting config vars\n       ALL:  1\n       N:    2\n"+
		"       It takes effect in each app with its next deploy or restart (dokku ps:restart --all)\n"))
	f.expect("config:show hello --origin", ok("=====> hello env vars\nALL:       server  1\nDYNO:      dokku   web.1\nGIT_REV:   dokku   "+revision+
		"\nGREETING:  app     good 'day'\nN:         app     1\nPORT:      dokku   5000\n"))
	f.expect("config:show fresh --origin", ok("=====> fresh env vars\nALL:  server  1\nN:    server  2\n"))
	f.expect("config:show --global --origin", ok("=====> global env vars\nALL:  server  1\nN:    server  2\n"))
	f.expect("config:keys fresh --origin", ok("ALL:  server\nN:    server\n"))
}

func TestMoreDomains(t *testing.T) {
	f := newFixture(t)
	f.expect("domains:report --global", ok("=====> Global domains information\n       Domains global enabled:        true\n       Domains global vhosts:         example.com\n"))
	f.expect("domains:report --global --format json", ok(`{"domains-global-enabled":"true","domains-global-vhosts":"example.com","global-enabled":"true","global-vhosts":"example.com"}`+"\n"))
	f.expect("domains:set fresh a.example.org", ok("-----> Set a.example.org for fresh\n"))
	f.expect("domains:disable fresh", ok("-----> Disabling domains (VHOST) support for app (fresh)\n"))
	f.expect("domains:disable fresh", ok("-----> Domains (VHOST) support is already disabled for app (fresh)\n"))
	f.expect("domains:report fresh --domains-app-enabled", ok("false\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("\n"))
	f.expect("domains:add taken a.example.org", ok("-----> Added a.example.org to taken\n"))
	taken := " !     Domain a.example.org belongs to app taken: remove it there first (dokku domains:remove taken a.example.org)\n"
	f.expect("domains:enable fresh", fails(1, taken))
	f.expect("domains:add fresh b.example.org", fails(1, taken))
	f.expect("domains:remove taken a.example.org", ok("-----> Removed a.example.org from taken\n"))
	f.expect("domains:add fresh b.example.org", ok("-----> Added b.example.org to fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("a.example.org b.example.org\n"))
	f.expect("domains:enable fresh", ok("-----> Domains (VHOST) support is already enabled for app (fresh)\n"))
	f.expect("domains:reset fresh", ok("-----> Reset domains for fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("fresh.example.com\n"))

	for _, name := range []string{"hello", "shipped", "stopped"} {
		f.state(name, app.State{})
	}
	f.expect("domains:add-global example.com b.net", ok("-----> Skipping: example.com already added\n-----> Added b.net\n"))
	f.expect("domains:remove-global example.com", ok("-----> Removed example.com\n"))
	f.expect("domains:report hello --domains-app-vhosts", ok("hello.b.net\n"))
	f.expect("domains:clear-global", ok("-----> Cleared global domains\n"))
	f.expect("domains:report --global", ok("=====> Global domains information\n       Domains global enabled:        false\n       Domains global vhosts:         \n"))
}

func TestProxyAndGitProperties(t *testing.T) {
	f := newFixture(t)
	f.expect("proxy:report fresh --proxy-computed-type", ok("nginx\n"))
	f.expect("proxy:report fresh --proxy-type", ok("\n"))
	f.expect("proxy:set fresh type nginx", ok("=====> Setting type to nginx\n"))
	f.expect("proxy:report fresh --proxy-type", ok("nginx\n"))
	f.expect("proxy:set --global type nginx", ok("=====> Setting type to nginx\n"))
	f.expect("proxy:report fresh --proxy-global-type", ok("nginx\n"))
	f.expect("git:set --global rev-env-var ALL_REV", ok("=====> Setting rev-env-var to ALL_REV\n"))
	f.expect("git:report fresh --git-computed-rev-env-var", ok("ALL_REV\n"))
	f.expect("git:set fresh rev-env-var SHA", ok("=====> Setting rev-env-var to SHA\n"))
	f.expect("git:report fresh --git-computed-rev-env-var", ok("SHA\n"))
	f.expect("git:set fresh rev-env-var", ok("=====> Unsetting rev-env-var\n"+
		"       No variable holds the revision from the next deploy on; git:set fresh rev-env-var GIT_REV brings it back\n"))
	f.expect("git:report fresh --git-rev-env-var", ok("\n"))
}
