package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dokku/agent/app"
	"dokku/agent/keys"
)

// An operator of all apps left out the app's name, and so removed or replaced the password with which the server itself
// pulls the images of everybody. Only --global was refused.
func TestServersRegistryLogin(t *testing.T) {
	f := newFixture(t)
	if err := os.MkdirAll(filepath.Join(f.root, ".docker"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(f.root, ".docker", "config.json"), []byte(`{"auths":{"ghcr.io":{"auth":"dXNlcjpwYXNz"}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	f.user, f.grant, f.stdin = "ops", keys.Grant{Role: keys.Operator, Apps: []string{keys.AllApps}}, "pass\n"
	before := f.snapshot()
	for line, without := range map[string]string{
		"registry:logout ghcr.io":                      "registry:logout without an app",
		"registry:login ghcr.io bot pass":              "registry:login without an app",
		"registry:login --password-stdin ghcr.io bot":  "registry:login without an app",
		"--app ghcr.io registry:logout":                "registry:logout without an app",
		"--app ghcr.io registry:login bot pass":        "registry:login without an app",
		"registry:logout --global ghcr.io":             "--global",
		"registry:login --global ghcr.io bot password": "--global",
	} {
		f.expect(line, fails(1, " !     The key ops may not use "+without+": it needs an admin's key, and this is an operator's\n"))
	}
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.grant = keys.Grant{Role: keys.Admin}
	f.expect("registry:logout ghcr.io", ok("-----> Removed login for ghcr.io\n"))
}

// An operator switched an app, which the keys of strangers deploy to, from the server's own builder back to the engine's, or
// took away the setting by which an admin had chosen it.
func TestBuildIsolationOfOperators(t *testing.T) {
	f := newFixture(t)
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"hello"}}
	f.expect("builder:set hello build-isolation own", ok("=====> Setting build-isolation to own\n"))
	before := f.snapshot()
	f.expect("builder:set hello build-isolation engine", fails(1, " !     The key ops may not use the value engine of build-isolation: it needs an admin's key, and this is an operator's\n"))
	f.expect("builder:set hello build-isolation", fails(1, " !     The key ops may not use the property build-isolation without a value: it needs an admin's key, and this is an operator's\n"))
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.grant = keys.Grant{Role: keys.Admin}
	f.expect("builder:set hello build-isolation engine", ok("=====> Setting build-isolation to engine\n"))
	f.expect("builder:set hello build-isolation", ok("=====> Unsetting build-isolation\n"))
}

// An operator had this server ask addresses that only it reaches, and read in the errors what answers there.
func TestAddressesOfOperators(t *testing.T) {
	f := newFixture(t)
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"hello"}}
	for line, want := range map[string]string{
		"git:sync hello http://127.0.0.1:1/x.git":             "cannot sync with http://127.0.0.1:1/x.git: the host 127.0.0.1 is not allowed, ",
		"git:sync --build hello ssh://git@127.0.0.1:1/x.git":  "cannot sync with ssh://git@127.0.0.1:1/x.git: the host is not allowed: ",
		"git:from-archive hello http://127.0.0.1:1/x.tar":     "cannot use the tar archive from http://127.0.0.1:1/x.tar: the host 127.0.0.1 is not allowed, ",
		"git:from-archive hello http://[::1]:1/x.tar":         "cannot use the tar archive from http://[::1]:1/x.tar: the host ::1 is not allowed, ",
		"registry:login hello 127.0.0.1:1 bot pass":           "Unable to run docker login: the engine would ask 127.0.0.1:1, an address of this server alone; ",
		"registry:login hello http://localhost:6379 bot pass": "Unable to run docker login: the engine would ask localhost:6379, an address of this server alone; ",
	} {
		if got := f.run(strings.Fields(line)...); got.code != 1 || !strings.Contains(got.stderr, " !     "+want) {
			t.Errorf("dokku %s: %+v\nwant %s", line, got, want)
		}
	}
	f.grant = keys.Grant{Role: keys.Admin}
	if got := f.run("git:from-archive", "hello", "http://127.0.0.1:1/x.tar"); !strings.Contains(got.stderr, "connection refused") {
		t.Errorf("an admin: %+v", got)
	}
}

// An operator gave users hashes of passwords that take minutes to compute. Two requests of a visitor with any password at
// all stopped nginx for all apps.
func TestHashesOfOperators(t *testing.T) {
	f := newFixture(t)
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"fresh"}}
	before := f.snapshot()
	const end = " for each request, while other apps wait: make another one, or have an admin import it\n"
	slow := map[string]string{
		"$2y$11$" + strings.Repeat("a", 53):                            "bcrypt with a cost above 10 takes too long",
		"$2b$31$" + strings.Repeat("a", 53):                            "bcrypt with a cost above 10 takes too long",
		"$2y$9$" + strings.Repeat("a", 53):                             "bcrypt with a cost above 10 takes too long",
		"$6$rounds=999999999$salt$" + strings.Repeat("a", 86):          "SHA-crypt with more than 10000 rounds takes too long",
		"$5$rounds=10001$salt$" + strings.Repeat("a", 43):              "SHA-crypt with more than 10000 rounds takes too long",
		"$6$rounds=9999999999999999999$salt$" + strings.Repeat("a", 9): "SHA-crypt with more than 10000 rounds takes too long",
		"$y$jFT$salt$" + strings.Repeat("a", 43):                       "yescrypt with other parameters than $y$j9T$ may take too long",
	}
	for hash, why := range slow {
		f.stdin = "bob:$apr1$aaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa\nann:" + hash + "\n"
		f.expect("http-auth:import-users fresh", fails(1, " !     Line 2, user ann: "+why+end))
	}
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.stdin = "a:$2y$10$" + strings.Repeat("a", 53) + "\nb:$6$salt$" + strings.Repeat("a", 86) + "\nc:$5$rounds=10000$salt$" + strings.Repeat("a", 43) +
		"\nd:$y$j9T$salt$" + strings.Repeat("a", 43) + "\ne:$apr1$aaaaaaaa$aaaaaaaaaaaaaaaaaaaaaa\n"
	if got := f.run("http-auth:import-users", "fresh"); got.code != 0 {
		t.Errorf("%+v", got)
	}
	f.grant = keys.Grant{Role: keys.Admin}
	for hash := range slow {
		f.stdin = "ann:" + hash + "\n"
		if got := f.run("http-auth:import-users", "fresh"); got.code != 0 {
			t.Errorf("an admin: %+v", got)
		}
	}
}

// An operator set variables that the server's program for DNS, or one that it starts, takes for its own, and had this server
// ask an address that only it reaches.
func TestDNSVariablesOfOperators(t *testing.T) {
	f := newFixture(t)
	script := filepath.Join(t.TempDir(), "dns.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	f.expect("letsencrypt:set --global dns-provider exec", ok("=====> Setting dns-provider to exec\n"))
	f.run("letsencrypt:set", "--global", "dns-provider-EXEC_PATH", script)
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"hello"}}
	before := f.snapshot()
	for _, name := range []string{"OPENSSL_CONF", "NODE_OPTIONS", "LD_PRELOAD", "CLOUDFLARE_DNS_API_TOKEN"} {
		f.expect("letsencrypt:set hello dns-provider-"+name+" x", fails(1, " !     Invalid dns-provider-"+name+
			" specified: the DNS provider exec is a program of this server, and would get "+name+": ask an admin to set it\n"))
	}
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.expect("letsencrypt:set hello dns-provider rfc2136", ok("=====> Setting dns-provider to rfc2136\n"))
	for line, why := range map[string]string{
		"OPENSSL_CONF x":                     "OPENSSL_CONF is no setting of the DNS provider rfc2136: its settings begin with DNSUPDATE_ or RFC2136_",
		"RFC2136_NAMESERVER 127.0.0.1:6379":  "RFC2136_NAMESERVER says which server is asked from here: ask an admin to set it",
		"RFC2136_PROPAGATION_TIMEOUT 999999": "RFC2136_PROPAGATION_TIMEOUT needs a number of seconds up to 600, since the orders of other apps wait meanwhile: ask an admin for more",
	} {
		name, _, _ := strings.Cut(line, " ")
		f.expect("letsencrypt:set hello dns-provider-"+line, fails(1, " !     Invalid dns-provider-"+name+" specified: "+why+"\n"))
	}
	f.expect("letsencrypt:set hello dns-provider-RFC2136_TSIG_SECRET s3cret", ok("=====> Setting dns-provider-RFC2136_TSIG_SECRET to ****\n"))
	f.expect("letsencrypt:set hello dns-provider-OPENSSL_CONF", ok("=====> Unsetting dns-provider-OPENSSL_CONF\n"))
	f.grant = keys.Grant{Role: keys.Admin}
	f.expect("letsencrypt:set hello dns-provider-RFC2136_NAMESERVER 127.0.0.1:6379", ok("=====> Setting dns-provider-RFC2136_NAMESERVER to ****\n"))
}

// An operator lifted the limits that keep one app from taking the server's memory and disk from the others.
func TestLimitsOfOperators(t *testing.T) {
	f := newFixture(t)
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"fresh"}}
	before := f.snapshot()
	lifted := map[string]string{
		"resource:limit --memory 1000g fresh":                       "Invalid --memory 1000g: it is more than ",
		"resource:limit --memory 512m --memory-swap 1000g fresh":    "Invalid --memory-swap 1000g: it is more than ",
		"resource:reserve --memory 1000g fresh":                     "Invalid --memory 1000g: it is more than ",
		"docker-options:add fresh deploy -m 900g":                   "Invalid docker option: --memory: it is more than ",
		"docker-options:add fresh run --memory 900g":                "Invalid docker option: --memory: it is more than ",
		"docker-options:add fresh deploy --memory-reservation=900g": "Invalid docker option: --memory-reservation: it is more than ",
		"docker-options:add fresh deploy --log-opt max-size=1000g":  "Invalid docker option: --log-opt max-size: 1000g is more than 50m, ",
		"docker-options:add fresh deploy --log-opt max-file=100":    "Invalid docker option: --log-opt max-file: 100 is more than 10, ",
		"logs:set fresh max-size unlimited":                         "Invalid max-size specified: unlimited is more than 50m, the most that an operator's key may give: ask an admin to run it: dokku logs:set fresh max-size unlimited\n",
		"nginx:set fresh client-max-body-size 0":                    "Invalid client-max-body-size specified: \"0\" is more than 100m, the most that an operator's key may set: ask an admin to run it: dokku nginx:set fresh client-max-body-size 0\n",
		"nginx:set fresh proxy-buffers 1024 16m":                    "Invalid proxy-buffers specified: \"1024 16m\" is more than 1m, the most that an operator's key may set: ask an admin to run it: dokku nginx:set fresh proxy-buffers 1024 16m\n",
	}
	for line, want := range lifted {
		if got := f.run(strings.Fields(line)...); got.code != 1 || !strings.Contains(got.stderr, " !     "+want) {
			t.Errorf("dokku %s: %+v\nwant %s", line, got, want)
		}
	}
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	for _, line := range []string{"resource:limit --memory 64m fresh", "resource:reserve --memory 64m fresh", "docker-options:add fresh deploy -m 64m --log-opt max-size=20m",
		"logs:set fresh max-size 20m", "nginx:set fresh client-max-body-size 50m", "nginx:set fresh client-max-body-size", "logs:set fresh max-size"} {
		if got := f.run(strings.Fields(line)...); got.code != 0 {
			t.Errorf("dokku %s: %+v", line, got)
		}
	}
	for line := range lifted {
		f := newFixture(t)
		f.user = "root" // an admin's key
		if got := f.run(strings.Fields(line)...); got.code != 0 {
			t.Errorf("an admin: dokku %s: %+v", line, got)
		}
	}
}

// The refusal of a domain named the app that has it, in other words than that of a name which no app has yet: so operators
// learned which apps of others there are.
func TestNamesOfOthers(t *testing.T) {
	f := newFixture(t)
	f.state("stopped", app.State{HostPort: 32100})
	f.user, f.grant = "ops", keys.Grant{Role: keys.Operator, Apps: []string{"fresh", "hello", "newer"}}
	before := f.snapshot()
	refused := func(line, name, app string) {
		t.Helper()
		f.expect(line, fails(1, " !     The key ops may not give this name to "+app+": "+name+" is, or may become, a name of another app (an admin may)\n"))
	}
	for _, name := range []string{"taken.example.com", "shipped.example.com", "nosuch.example.com"} {
		refused("domains:add fresh "+name, name, "fresh")
		refused("domains:set fresh www.fresh.org "+name, name, "fresh")
		refused("redirect:set fresh "+name+" www.fresh.org", name, "fresh")
	}
	f.expect("domains:add fresh hello.example.com", fails(1, " !     Domain hello.example.com belongs to app hello: remove it there first (dokku domains:remove hello hello.example.com)\n"))
	if f.snapshot() != before {
		t.Error("what an operator is refused has changed something")
	}
	f.state("taken", app.State{Domains: []string{"taken.example.com", "newer.example.com"}})
	for _, line := range []string{"apps:clone --skip-deploy fresh newer", "apps:rename --skip-deploy fresh newer"} {
		want := " !     The key ops may not give this name to newer: newer.example.com is, or may become, a name of another app (an admin may)\n"
		if got := f.run(strings.Fields(line)...); got.code != 1 || got.stderr != want {
			t.Errorf("%s: %+v", line, got)
		}
	}
	f.grant = keys.Grant{Role: keys.Admin}
	f.expect("domains:add fresh taken.example.com", fails(1, " !     Domain taken.example.com belongs to app taken: remove it there first (dokku domains:remove taken taken.example.com)\n"))
}
