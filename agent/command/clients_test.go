package command

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"dokku/agent/app"
)

// A client calls dokku as programs do, and reads what it prints as they read it: with
// standard error in it, as over ssh.
type client struct {
	*fixture
}

// call runs a command that has to succeed and returns what it prints.
func (c client) call(args ...string) string {
	c.t.Helper()
	out, code := c.try(args...)
	if code != 0 {
		c.t.Fatalf("dokku %s: exit code %d\n%s", strings.Join(args, " "), code, out)
	}
	return out
}

func (c client) try(args ...string) (out string, code int) {
	c.t.Helper()
	r := c.run(args...)
	return strings.TrimSuffix(r.stdout+r.stderr, "\n"), r.code
}

// rows reads lines KEY: VALUE after skip lines of headings.
func (c client) rows(skip int, args ...string) map[string]string {
	c.t.Helper()
	rows := map[string]string{}
	for _, line := range strings.Split(c.call(args...), "\n")[skip:] {
		key, value, ok := strings.Cut(line, ":")
		if !ok {
			c.t.Errorf("dokku %s: the line %q has no key", strings.Join(args, " "), line)
		}
		rows[strings.TrimSpace(key)] = strings.TrimSpace(value)
	}
	return rows
}

// values reads the JSON of a report, whose values are all strings.
func (c client) values(args ...string) map[string]string {
	c.t.Helper()
	var values map[string]string
	if err := json.Unmarshal([]byte(c.run(args...).stdout), &values); err != nil {
		c.t.Errorf("dokku %s: %s", strings.Join(args, " "), err)
	}
	return values
}

func (c client) equal(what, got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("%s is %q, not %q", what, got, want)
	}
}

// TestTerraformApp is the life of a dokku_app of the provider aaronstillwell/dokku. It
// gives no --quiet, and skips one heading of each command, two of ports:list.
func TestTerraformApp(t *testing.T) {
	c := client{newFixture(t)}
	if out, code := c.try("apps:exists", "app"); code == 0 {
		t.Errorf("a missing app exists: %s", out)
	}
	c.call("apps:create", "app")
	if _, code := c.try("ports:list", "app"); code == 0 {
		t.Error("an app without mappings has some")
	}
	c.call("config:set", "app", "URL=http://a:1", "WORDS=two words")
	config := c.rows(1, "config:show", "app")
	c.equal("URL", config["URL"], "http://a:1")
	c.equal("WORDS", config["WORDS"], "two words")
	c.call("domains:set", "app", "a.example.com", "b.example.com")
	c.call("domains:remove", "app", "b.example.com")
	c.call("domains:add", "app", "c.example.com")
	c.equal("domains", c.rows(1, "domains:report", "app")["Domains app vhosts"], "a.example.com c.example.com")
	c.call("buildpacks:add", "app", "https://github.com/heroku/heroku-buildpack-nodejs.git")
	list := strings.Split(c.call("buildpacks:list", "app"), "\n")[1:]
	c.equal("buildpacks", strings.TrimSpace(strings.Join(list, "|")), "https://github.com/heroku/heroku-buildpack-nodejs.git")
	c.call("buildpacks:clear", "app")
	c.call("ports:add", "app", "http:80:5000")
	c.call("ports:add", "app", "http:8080:5000")
	var ports []string
	for _, line := range strings.Split(c.call("ports:list", "app"), "\n")[2:] {
		ports = append(ports, strings.Join(strings.Fields(line), ":"))
	}
	c.equal("ports", strings.Join(ports, " "), "http:80:5000 http:8080:5000")
	c.call("ports:remove", "app", "http:8080:5000")
	c.call("nginx:set", "app", "bind-address-ipv4", "0.0.0.0")
	c.call("nginx:set", "app", "bind-address-ipv6", "::")
	report := c.rows(1, "nginx:report", "app")
	c.equal("the IPv4 address", report["Nginx bind address ipv4"], "0.0.0.0")
	c.equal("the IPv6 address", report["Nginx bind address ipv6"], "::")
	c.call("config:unset", "app", "URL", "WORDS")
}

// TestTerraformQuiet are the calls of the provider aliksend/dokku: all with --quiet, and
// each line of a report has to have a colon.
func TestTerraformQuiet(t *testing.T) {
	c := client{newFixture(t)}
	out, _ := c.try("--quiet", "apps:exists", "app")
	c.equal("a missing app", out, " !     App app does not exist")
	c.call("--quiet", "apps:create", "app")
	for verb, list := range map[string]string{"disable": "Checks disabled list", "skip": "Checks skipped list"} {
		c.call("--quiet", "checks:"+verb, "app")
		c.equal(list, c.rows(0, "--quiet", "checks:report", "app")[list], "_all_")
	}
	c.call("--quiet", "checks:enable", "app")
	c.call("--quiet", "config:set", "--no-restart", "--encoded", "app", "K="+base64.StdEncoding.EncodeToString([]byte("v 1")))
	c.equal("K", c.values("--quiet", "config:export", "--format=json", "app")["K"], "v 1")
	c.call("--quiet", "domains:set", "app", "a.example.com")
	domains := c.rows(0, "--quiet", "domains:report", "app")
	c.equal("domains", domains["Domains app vhosts"]+" "+domains["Domains app enabled"], "a.example.com true")
	c.equal("global domains", c.rows(0, "--quiet", "domains:report", "--global")["Domains global vhosts"], "example.com")
	if out, code := c.try("--quiet", "ports:list", "app"); code == 0 || !strings.Contains(out, "No port mappings configured for app") {
		t.Errorf("ports:list without mappings: %d %s", code, out)
	}
	c.call("--quiet", "ports:set", "app", "http:80:5000")
	c.equal("ports", strings.Join(strings.Fields(c.call("--quiet", "ports:list", "app")), ":"), "http:80:5000")
	c.call("--quiet", "ports:remove", "app", "80")
	c.call("--quiet", "nginx:set", "app", "client-max-body-size", "50m")
	c.equal("an nginx setting", c.call("--quiet", "nginx:report", "app", "--nginx-client-max-body-size"), "50m")
	networks := c.rows(0, "--quiet", "network:report", "app")
	for key := range networks {
		if !strings.HasPrefix(key, "Network ") {
			t.Errorf("network:report has a row %q", key)
		}
	}
	c.equal("a network", c.call("--quiet", "network:report", "app", "--network-initial-network"), "")
	c.call("--quiet", "network:set", "app", "initial-network")
	c.folder("data")
	c.call("--quiet", "storage:mount", "app", c.storage()+"/data:/data")
	c.equal("mounts", c.call("--quiet", "storage:list", "app"), c.storage()+"/data:/data")
	c.call("--quiet", "storage:unmount", "app", c.storage()+"/data:/data")
	c.call("--quiet", "http-auth:enable", "app")
	c.call("--quiet", "http-auth:add-user", "app", "ann", "s3cret")
	auth := c.rows(0, "--quiet", "http-auth:report", "app")
	c.equal("http-auth", auth["Http auth enabled"]+" "+auth["Http auth users"], "true ann")
}

// TestAnsible are the calls of the role dokku_bot.ansible_dokku.
func TestAnsible(t *testing.T) {
	c := client{newFixture(t)}
	c.call("--quiet", "apps:exists", "hello")
	c.equal("config", c.values("config:export", "--format", "json", "hello")["N"], "1")
	c.call("--quiet", "domains:set", "fresh", "a.example.com", "b.example.com")
	c.equal("domains", c.call("--quiet", "domains:report", "fresh", "--domains-app-vhosts"), "a.example.com b.example.com")
	c.equal("global domains", c.call("--quiet", "domains:report", "--global", "--domains-global-vhosts"), "example.com")
	c.call("ports:set", "fresh", "http:80:5000")
	c.equal("ports", c.call("--quiet", "ports:report", "fresh", "--ports-map"), "http:80:5000")
	c.equal("buildpacks", c.call("--quiet", "buildpacks:list", "fresh"), "")
	c.call("ps:scale", "--skip-deploy", "fresh", "web=2")
	c.equal("scale", strings.Join(strings.Fields(c.call("--quiet", "ps:scale", "fresh")), ""), "web:2")
	limits := c.rows(0, "--quiet", "resource:limit", "fresh")
	for _, resource := range []string{"cpu", "memory", "memory-swap"} {
		if _, ok := limits[resource]; !ok {
			t.Errorf("resource:limit has no row for %s", resource)
		}
	}
}

// TestDocket are values that docket reads before it changes anything, or it changes them
// again and again.
func TestDocket(t *testing.T) {
	c := client{newFixture(t)}
	for _, set := range [][3]string{
		{"checks", "wait-to-retire", "90"}, {"git", "deploy-branch", "trunk"}, {"git", "archive-max-files", "500"},
		{"network", "tld", "svc.local"}, {"proxy", "type", "nginx"}, {"ps", "restart-policy", "always"},
	} {
		read := func() string {
			return c.values("--quiet", set[0]+":report", "--global", "--format", "json")["global-"+set[1]]
		}
		c.call("--quiet", set[0]+":set", "--global", set[1], set[2])
		c.equal(set[1], read(), set[2])
		c.call("--quiet", set[0]+":set", "--global", set[1])
		c.equal(set[1], read(), "")
	}
	c.call("--quiet", "storage:mount", "fresh", "data:/data:ro")
	mount := c.values("--quiet", "storage:report", "fresh", "--format", "json")
	c.equal("mount", mount["attachment.1.host-path"]+":"+mount["attachment.1.container-path"]+" "+mount["attachment.1.readonly"], "data:/data true")
	c.call("--quiet", "storage:unmount", "fresh", mount["attachment.1.entry-name"], "--container-dir", "/data")
	c.call("--quiet", "storage:mount", "fresh", "data", "--container-dir", "/data")
	c.equal("mounts", c.call("--quiet", "storage:list", "fresh"), "data:/data")
	c.call("--quiet", "http-auth:add-user", "fresh", "ann", "s3cret")
	c.equal("http-auth", c.values("http-auth:report", "fresh", "--format", "json")["enabled"], "true")
	c.call("--quiet", "http-auth:disable", "fresh")
	c.call("--quiet", "http-auth:remove-user", "fresh", "ann")
	c.equal("users", c.values("http-auth:report", "fresh", "--format", "json")["users"], "")
}

// TestPydokkuRows: pydokku makes an object of each report's rows, and fails at a row that
// it does not know. It knows those of Dokku 0.35.
func TestPydokkuRows(t *testing.T) {
	c := client{newFixture(t)}
	for command, unknown := range map[string][]string{
		"nginx":       {"Nginx error pages", "Nginx computed https redirect", "Nginx proxy keepalive", "Nginx nginx service command"},
		"proxy":       {"Proxy host port"},
		"maintenance": {"Maintenance custom page sha256"},
	} {
		rows := c.rows(1, command+":report", "fresh")
		for _, row := range unknown {
			if _, ok := rows[row]; ok {
				t.Errorf("%s:report has the row %s", command, row)
			}
		}
	}
	c.call("nginx:set", "fresh", "https-redirect", "308")
	c.equal("a setting", c.rows(1, "nginx:report", "fresh")["Nginx https redirect"], "308")
	c.equal("a default", c.values("nginx:report", "fresh", "--format", "json")["computed-error-pages"], "")
	c.state("fresh", app.State{HostPort: 4000, ProxyDisabled: true})
	c.equal("a port", c.rows(1, "proxy:report", "fresh")["Proxy host port"], "4000")
}
