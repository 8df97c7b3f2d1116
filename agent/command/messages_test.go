package command

import (
	"os"
	"slices"
	"strings"
	"testing"

	"dokku/agent/app"
)

func ok(stdout string) result { return result{stdout: stdout} }

func fails(code int, stderr string) result { return result{stderr: stderr, code: code} }

func TestUnknownCommand(t *testing.T) {
	f := newFixture(t)
	f.expect("foo", fails(1, " !     `foo` is not a dokku command.\n !     See `dokku help` for a list of available commands.\n"))
	for typed, meant := range map[string]string{
		"ps:scal": "ps:scale", "ps-scale": "ps:scale", "scale": "ps:scale", "config:sett": "config:set", "verison": "version",
		"log": "logs", "domains:ad": "domains:add", "PS:RESTART": "ps:restart", "destroy": "apps:destroy", "hlep": "help",
	} {
		f.expect(typed, fails(1, " !     `"+typed+"` is not a dokku command.\n"+
			" !     See `dokku help` for a list of available commands.\n !     Did you mean `"+meant+"`?\n"))
	}
}

func TestNoApp(t *testing.T) {
	f := newFixture(t)
	f.expect("ps:start", fails(1, " !     Please specify an app to run the command on\n"))
	f.expect("ps:start nosuch", fails(20, " !     App nosuch does not exist\n"))
	f.expect("apps:exists nosuch", fails(20, " !     App nosuch does not exist\n"))
	f.expect("apps:exists hello", ok(""))
	f.expect("ps:start fresh", result{stderr: " !     App fresh has not been deployed\n"})
	f.expect("ps fresh", result{stderr: " !     App fresh has not been deployed\n"})
}

func TestScaleTable(t *testing.T) {
	f := newFixture(t)
	data := "web:  1\nworker: 0\n"
	heading := "-----> Scaling for hello\nproctype: qty\n--------: ---\n"
	f.expect("ps:scale hello", ok(heading+data))
	f.expect("--app hello ps:scale", ok(heading+data))
	f.expect("ps:scale --app hello", ok(heading+data))
	const first = " !     fresh has not been deployed yet: these are the counts of its first deploy, if the repository has none\n"
	f.expect("ps:scale fresh", ok("-----> Scaling for fresh\nproctype: qty\n--------: ---\nweb:  1\n"))
	f.expect("ps:scale fresh --quiet", ok("web:  1\n"))
	f.expect("ps:scale fresh --format json", ok(`[{"process_type":"web","quantity":1}]`+"\n"))
	f.expect("ps:scale hello --format json", ok(`[{"process_type":"web","quantity":1},{"process_type":"worker","quantity":0}]`+"\n"))
	f.expect("ps:scale --format json --origin shipped", ok(`[{"process_type":"web","quantity":2,"origin":"DOKKU_SCALE"},`+
		`{"process_type":"worker","quantity":1,"origin":"DOKKU_SCALE"}]`+"\n"))
	f.terminal = true
	f.expect("ps:scale hello", ok(heading+data))
	f.expect("ps:scale hello --origin", ok(heading+data+"       default: web, worker\n"))
	f.expect("ps:scale fresh --origin", result{stderr: first,
		stdout: "-----> Scaling for fresh\nproctype: qty\n--------: ---\nweb:  1\n       default: web\n"})
	f.expect("ps:scale shipped --origin", ok("-----> Scaling for shipped\nproctype: qty\n--------: ---\nweb:  2\nworker: 1\n"+
		"       DOKKU_SCALE of 3f2c1d9: web, worker\n"))
	f.expect("--quiet ps:scale hello", ok(data))
	f.expect("ps:scale hello --quiet", ok(data))
}

func TestScaleRefused(t *testing.T) {
	f := newFixture(t)
	got := f.run("ps:scale", "shipped", "web=3")
	want := " !     App shipped contains a DOKKU_SCALE file and cannot be manually scaled\n"
	if got.code != 1 || got.stdout != "" || !strings.HasPrefix(got.stderr, want) {
		t.Errorf("%+v", got)
	}
	for _, word := range []string{"3f2c1d9", "web=2 worker=1"} {
		if !strings.Contains(got.stderr, word) {
			t.Errorf("%q is missing in\n%s", word, got.stderr)
		}
	}
}

func TestScaleStored(t *testing.T) {
	f := newFixture(t)
	f.expect("ps:scale fresh worker=2 web=08", ok("-----> Scaling fresh processes: worker=2 web=8\n"))
	f.expect("--quiet ps:scale fresh", ok("web:  8\nworker: 2\n"))
	f.expect("ps:scale taken worker=2", ok("-----> Scaling taken processes: worker=2\n"))
	f.expect("--quiet ps:scale taken", ok("web:  1\nworker: 2\n"))
	f.expect("--quiet ps:scale stopped worker=1", ok(""))
	f.expect("--quiet ps:scale stopped", ok("web:  1\nworker: 1\n"))
	f.expect("ps:report stopped --processes", ok("2\n"))
	// Later counts win over counts that were left for the next deploy.
	f.state("stopped", app.State{Current: 1, Stopped: true, ScaleNext: map[string]int{"web": 4, "worker": 4}})
	f.expect("--quiet ps:scale stopped web=2", ok(""))
	f.expect("--quiet ps:scale stopped", ok("web:  2\nworker: 4\n"))
}

func TestReport(t *testing.T) {
	f := newFixture(t)
	body := `       Deployed:                      false
       Image builder:                 
       Image reason:                  
       Problem:                       
       Processes:                     0
       Ps can scale:                  true
       Ps computed dockerfile start cmd: 
       Ps computed init:              true
       Ps computed max image ports:   64
       Ps computed max processes:     250
       Ps computed max runs:          50
       Ps computed procfile path:     Procfile
       Ps computed restart policy:    on-failure:10
       Ps computed rollover:          
       Ps computed server max processes: 2000
       Ps computed server max runs:   500
       Ps computed skip deploy:       false
       Ps computed start cmd:         
       Ps computed stop timeout seconds: 30
       Ps dockerfile start cmd:       
       Ps global init:                
       Ps global max image ports:     
       Ps global max processes:       
       Ps global max runs:            
       Ps global procfile path:       Procfile
       Ps global restart policy:      
       Ps global server max processes: 
       Ps global server max runs:     
       Ps global skip deploy:         false
       Ps global stop timeout seconds: 
       Ps init:                       
       Ps max image ports:            
       Ps max processes:              
       Ps max runs:                   
       Ps procfile path:              
       Ps restart policy:             
       Ps rollover:                   
       Ps skip deploy:                
       Ps start cmd:                  
       Ps stop timeout seconds:       
       Release:                       
       Restore:                       true
       Revision:                      
       Rolled back from:              
       Running:                       false
       Scale origin:                  
       Serving:                       
       Staged:                        
       Undeployed:                    
`
	f.expect("ps:report fresh", ok("=====> fresh ps information\n"+body))
	f.terminal = true
	f.expect("ps:report fresh", ok("=====> fresh ps information\n"+body))
	f.expect("--quiet ps:report fresh", ok(body))
}

func TestReportFlags(t *testing.T) {
	f := newFixture(t)
	f.expect("ps:report hello --deployed", ok("true\n"))
	f.expect("ps:report --deployed hello", ok("true\n"))
	f.expect("ps:report --deployed", ok("false\ntrue\ntrue\ntrue\nfalse\n"))
	f.expect("ps:report hello --ps-computed-restart-policy", ok("on-failure:10\n"))
	f.expect("ps:report shipped --ps-can-scale", ok("false\n"))
	f.expect("ps:report hello --revision", ok(revision+"\n"))
	f.expect("ps:report hello --deployed --running", fails(1, " !     ps:report command allows only a single flag\n"))
	f.expect("proxy:report hello --proxy-enabled", ok("true\n"))
	f.expect("domains:report hello --domains-app-vhosts", ok("hello.example.com\n"))
	f.expect("domains:report taken --format json", ok(`{"app-enabled":"true","app-vhosts":"taken.example.com","domains-app-enabled":"true",`+
		`"domains-app-vhosts":"taken.example.com","domains-global-enabled":"true","domains-global-vhosts":"example.com",`+
		`"global-enabled":"true","global-vhosts":"example.com"}`+"\n"))
	f.expect("git:report hello --git-sha", ok(revision+"\n"))
	f.expect("checks:report hello --checks-computed-wait-to-retire", ok("60\n"))
	f.expect("proxy:report hello --nosuch", fails(1, " !     Invalid flag passed, valid flags: "+
		"--proxy-computed-disabled, --proxy-computed-type, --proxy-disabled, --proxy-enabled, --proxy-global-type, --proxy-host-port, --proxy-origin-type, --proxy-type\n"))
	f.expect("urls hello", ok("http://hello.example.com\n"))
}

func TestProperties(t *testing.T) {
	f := newFixture(t)
	f.expect("ps:set fresh restart-policy always", ok("=====> Setting restart-policy to always\n"))
	f.expect("ps:report fresh --ps-restart-policy", ok("always\n"))
	f.expect("ps:set --global restart-policy no", ok("=====> Setting restart-policy to no\n"))
	f.expect("ps:report fresh --ps-global-restart-policy", ok("no\n"))
	f.expect("ps:report fresh --ps-computed-restart-policy", ok("always\n"))
	f.expect("ps:set fresh restart-policy", ok("=====> Unsetting restart-policy\n"))
	f.expect("ps:report fresh --ps-computed-restart-policy", ok("no\n"))
	f.expect("ps:set --global restart-policy", ok("=====> Unsetting restart-policy\n"))
	f.expect("ps:report fresh --ps-computed-restart-policy", ok("on-failure:10\n"))
	f.expect("ps:report fresh --ps-computed-init", ok("true\n"))
	f.expect("ps:set --global init false", ok("=====> Setting init to false\n"))
	f.expect("ps:report fresh --ps-computed-init", ok("false\n"))
	f.expect("ps:set fresh init true", ok("=====> Setting init to true\n"))
	f.expect("ps:report fresh --ps-computed-init", ok("true\n"))
	f.expect("ps:report fresh --ps-global-init", ok("false\n"))
	f.expect("ps:set --global init", ok("=====> Unsetting init\n"))
	f.expect("checks:set fresh wait-to-retire 30", ok("=====> Setting wait-to-retire to 30\n"))
	f.expect("checks:report fresh --checks-computed-wait-to-retire", ok("30\n"))
	f.expect("config:set fresh DOKKU_CHECKS_ATTEMPTS=7 --no-restart", ok("-----> Setting config vars\n       DOKKU_CHECKS_ATTEMPTS:  7\n"))
	f.expect("checks:report fresh --checks-computed-attempts", ok("7\n"))
	f.expect("git:set fresh deploy-branch release/1", ok("=====> Setting deploy-branch to release/1\n"))
	f.expect("git:report fresh --git-computed-deploy-branch", ok("release/1\n"))
	f.expect("ps:set fresh", fails(1, " !     No property specified\n !     Usage: dokku ps:set APP KEY [VALUE]\n"))
}

func TestConfigOfAnApp(t *testing.T) {
	f := newFixture(t)
	f.expect("config hello", f.run("config:show", "hello"))
}

// For a missing command of Dokku's, one line names the substitute.
func TestUnsupported(t *testing.T) {
	f := newFixture(t)
	for typed, here := range map[string]string{
		"elasticsearch:create db": "run it as a container on a network that the app joins: dokku network:create NAME, " +
			"then dokku network:set APP attach-post-create NAME",
		"tags:create hello v1": "each release keeps its image: dokku releases APP lists them, dokku releases:rollback APP N goes back to one",
		"haproxy:start":        "nginx is the only proxy: dokku nginx:report",
		"nginx:reload":         "on the server: systemctl reload nginx",
	} {
		word, _, _ := strings.Cut(typed, " ")
		f.expect(typed, fails(1, " !     `"+word+"` is not a dokku command. Dokku has it; here: "+here+"\n"))
	}
	f.remote = "ssh dokku@example.com"
	f.expect("storage:exec hello", fails(1, " !     `storage:exec` is not a dokku command. Dokku has it; here: ssh dokku@example.com enter APP web COMMAND\n"))
}

// dokkus are the commands of Dokku 0.38, by its plugins/*/subcommands.
const dokkus = `app-json:report app-json:set apps:clone apps:create apps:destroy apps:exists apps:list apps:lock apps:locked apps:rename
apps:report apps:set apps:unlock builder:report builder:set builder-dockerfile:report builder-dockerfile:set builder-herokuish:report builder-herokuish:set
builder-lambda:report builder-lambda:set builder-nixpacks:report builder-nixpacks:set builder-pack:report builder-pack:set
builder-railpack:report builder-railpack:set buildpacks:add buildpacks:clear buildpacks:detect buildpacks:list
buildpacks:remove buildpacks:report buildpacks:set buildpacks:set-property builds:cancel builds:info builds:list builds:output
builds:prune builds:report builds:set caddy:logs caddy:report caddy:set caddy:show-config caddy:start caddy:stop certs:add
certs:generate certs:remove certs:report certs:show certs:update checks:disable checks:enable checks:report checks:run checks:set
checks:skip cleanup config config:bundle config:clear config:export config:get config:import config:keys config:set config:show
config:unset cron:list cron:report cron:resume cron:run cron:set cron:suspend docker-options:add docker-options:clear
docker-options:list docker-options:remove docker-options:report domains:add domains:add-global domains:clear domains:clear-global
domains:disable domains:enable domains:remove domains:remove-global domains:report domains:reset domains:set domains:set-global
domains:setup enter events events:list events:off events:on git:allow-host git:auth git:auth-status git:from-archive git:from-image
git:generate-deploy-key git:initialize git:load-image git:public-key git:report git:set git:status git:sync git:unlock haproxy:logs
haproxy:report haproxy:set haproxy:show-config haproxy:start haproxy:stop help logs logs:failed logs:report logs:set logs:vector-logs
logs:vector-start logs:vector-stop network:create network:destroy network:exists network:info network:list network:rebuild
network:rebuildall network:report network:set nginx:access-logs nginx:error-logs nginx:reload nginx:report nginx:set
nginx:show-conf nginx:show-config nginx:start nginx:stop nginx:validate nginx:validate-config openresty:logs openresty:report openresty:set openresty:show-config openresty:start openresty:stop plugin:disable
plugin:enable plugin:install plugin:install-dependencies plugin:installed plugin:list plugin:trigger plugin:uninstall plugin:update
ports:add ports:clear ports:list ports:remove ports:report ports:set proxy:build-config proxy:clear-config proxy:disable proxy:enable
proxy:ports proxy:ports-add proxy:ports-clear proxy:ports-remove proxy:ports-set proxy:report proxy:set ps:inspect ps:rebuild
ps:report ps:restart ps:restore ps:retire ps:scale ps:set ps:start ps:stop registry:login registry:logout registry:report
registry:set repo:gc repo:purge-cache report resource:limit resource:limit-clear resource:report resource:reserve
resource:reserve-clear run run:detached run:list run:logs run:retire run:stop scheduler:report scheduler:set
scheduler-docker-local:report scheduler-docker-local:set scheduler-k3s:report ssh-keys:add ssh-keys:list ssh-keys:remove storage:annotations:report
storage:annotations:set storage:create storage:destroy storage:ensure-directory storage:exec storage:info storage:labels:report
storage:labels:set storage:list storage:list-entries storage:migrate storage:mount storage:report storage:set storage:unmount
storage:wait trace:off trace:on traefik:logs traefik:report traefik:set traefik:show-config traefik:start traefik:stop url urls version`

// TestNoDokkuCommandIsUnknown: each command of Dokku's is here, or its error says what is.
func TestNoDokkuCommandIsUnknown(t *testing.T) {
	f := newFixture(t)
	have := commands(f)
	for _, word := range strings.Fields(dokkus) {
		if slices.Contains(have, word) {
			continue
		}
		got := f.run(word)
		if !strings.HasPrefix(got.stderr, " !     `"+word+"` is not a dokku command. Dokku has it; here: ") || strings.Count(got.stderr, "\n") != 1 {
			t.Errorf("%s:\n%s", word, got.stderr)
		}
	}
}

// A hint is a command that its reader can type: over ssh it begins with ssh.
func TestHintsOverSSH(t *testing.T) {
	f := newFixture(t)
	f.remote = "ssh dokku@example.com"
	f.expect("domains:add hello taken.example.com", fails(1, " !     Domain taken.example.com belongs to app taken: "+
		"remove it there first (ssh dokku@example.com domains:remove taken taken.example.com)\n"))
	f.expect("storage:mount hello data:/data", ok("       It takes effect with the next deploy or restart (ssh dokku@example.com ps:restart hello)\n"))
	f.expect("ps:set fresh", fails(1, " !     No property specified\n !     Usage: dokku ps:set APP KEY [VALUE]\n"))
	f.expect("ps:start nosuch", fails(20, " !     App nosuch does not exist\n"))
}

func TestOrigins(t *testing.T) {
	f := newFixture(t)
	f.expect("ps:report hello --ps-origin-restart-policy", ok("default\n"))
	f.run("ps:set", "--global", "restart-policy", "no")
	f.expect("ps:report hello --ps-origin-restart-policy", ok("server\n"))
	f.run("ps:set", "hello", "skip-deploy", "true")
	f.expect("ps:report hello --ps-origin-skip-deploy", ok("app\n"))
	f.run("config:set", "--global", "DOKKU_CHECKS_WAIT=7")
	f.expect("checks:report hello --checks-origin-wait", ok("server config\n"))
	f.release("hello", map[string]string{"Procfile": "web: x\n", "CHECKS": "ATTEMPTS=3\n/\n"}, app.State{Checks: map[string]string{"timeout": "4"}})
	f.expect("checks:report hello --checks-origin-attempts", ok("CHECKS of 3f2c1d9\n"))
	f.expect("checks:report hello --checks-computed-attempts", ok("3\n"))
	f.expect("checks:report hello --checks-origin-timeout", ok("app\n"))
	f.expect("ps:scale shipped --format json --origin", ok(`[{"process_type":"web","quantity":2,"origin":"DOKKU_SCALE"},`+
		`{"process_type":"worker","quantity":1,"origin":"DOKKU_SCALE"}]`+"\n"))
}

// The texts are Dokku's, of plugins/checks.
func TestCheckSwitches(t *testing.T) {
	f := newFixture(t)
	lists := func(disabled, skipped string) {
		t.Helper()
		f.expect("checks:report stopped --checks-disabled-list", ok(disabled+"\n"))
		f.expect("checks:report stopped --checks-skipped-list", ok(skipped+"\n"))
	}
	lists("none", "none")
	f.expect("checks:disable stopped", ok("-----> Disabling zero downtime for app (stopped)\n"))
	lists("_all_", "none")
	f.expect("checks:skip stopped worker,web", ok("-----> Skipping zero downtime for app's (stopped) proctypes (worker,web)\n"))
	lists("none", "worker,web")
	f.expect("checks:disable stopped worker", ok("-----> Disabling zero downtime for app's (stopped) proctypes (worker)\n"))
	lists("worker", "web")
	f.expect("checks:enable stopped web", ok("-----> Enabling zero downtime for app's (stopped) proctypes (web)\n"))
	lists("worker", "none")
	f.expect("checks:skip stopped", ok("-----> Skipping zero downtime for app (stopped)\n"))
	lists("none", "_all_")
	f.expect("checks:enable stopped", ok("-----> Enabling zero downtime for app (stopped)\n"))
	lists("none", "none")
}

func TestApps(t *testing.T) {
	f := newFixture(t)
	list := "fresh\nhello\nshipped\nstopped\ntaken\n"
	f.expect("apps:list", ok("=====> My Apps\n"+list))
	f.terminal = true
	f.expect("apps:list", ok("=====> My Apps\n"+list))
	f.expect("--quiet apps:list", ok(list))
	f.expect("apps:create new", ok("-----> Creating new...\n"))
	f.expect("apps:create new", fails(1, " !     Name is already taken: app new exists\n"))
	f.expect("--app newer apps:create", ok("-----> Creating newer...\n"))
	f.expect("apps:exists newer", ok(""))
	asked := " !     WARNING: Potentially Destructive Action\n" +
		" !     This command will destroy app hello, with its containers, images, settings and repository.\n" +
		" !     To proceed, type \"hello\"\n"
	for _, typed := range []string{"", "\n", "fresh\n", "y\n"} {
		f.stdin = typed
		f.expect("apps:destroy hello", result{"> ", asked + " !     Confirmation did not match hello. Aborted.\n", 1})
	}
	f.terminal, f.stdin = false, ""
	f.expect("apps:destroy hello", result{"> ", asked +
		" !     Cannot ask for confirmation to destroy hello: write its name to standard input, or use --force\n", 1})
	f.expect("apps:exists hello", ok(""))
}

func TestNoApps(t *testing.T) {
	f := &fixture{t: t, root: t.TempDir()}
	f.expect("apps:list", result{stdout: "=====> My Apps\n", stderr: " !     You haven't deployed any applications yet\n"})
	f.expect("ps:report", result{stderr: " !     You haven't deployed any applications yet\n"})
	f.expect("ps:restartall", result{stderr: " !     You haven't deployed any applications yet\n"})
	f.root += "/missing"
	if got := f.run("apps:list"); got.code != 1 || !strings.Contains(got.stderr, "install.sh") {
		t.Errorf("%+v", got)
	}
	f.expect("version", ok("dokku version 0.35.20\nagent version 0.2.0, revision 1.2.3\n"))
	if got := f.run("help"); got.code != 0 {
		t.Errorf("%+v", got)
	}
}

func TestAllApps(t *testing.T) {
	f := newFixture(t)
	for _, app := range []string{"hello", "shipped", "stopped"} {
		if err := os.RemoveAll(f.root + "/" + app); err != nil {
			t.Fatal(err)
		}
	}
	each := "-----> Running restart against app fresh\n       App fresh has not been deployed\n" +
		"-----> Running restart against app taken\n       App taken has not been deployed\n"
	f.expect("ps:restart --all", ok(each))
	f.expect("ps:restartall", ok(each))
	f.expect("--quiet ps:restartall", ok(""))
	f.expect("deploy:all", result{stdout: each, stderr: " !     Deprecated: deploy:all is the old name of ps:restartall\n"})
	f.expect("ps:rebuildall", ok(strings.ReplaceAll(each, "restart", "rebuild")))
	f.expect("ps:restart --all --parallel x", fails(1, " !     Invalid value x for --parallel flag\n"))
	if got := f.run("ps:stop", "--all", "--parallel", "-1"); got.code != 0 || strings.Count(got.stdout, "Running stop against app") != 2 {
		t.Errorf("%+v", got)
	}
}

func TestDomains(t *testing.T) {
	f := newFixture(t)
	f.expect("domains:add hello taken.example.com", fails(1,
		" !     Domain taken.example.com belongs to app taken: remove it there first (dokku domains:remove taken taken.example.com)\n"))
	f.expect("domains:add fresh hello.example.com", fails(1,
		" !     Domain hello.example.com belongs to app hello: remove it there first (dokku domains:remove hello hello.example.com)\n"))
	f.expect("domains:add fresh WWW.example.org *.example.org", ok("-----> Added www.example.org to fresh\n-----> Added *.example.org to fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("fresh.example.com www.example.org *.example.org\n"))
	f.expect("domains:add fresh www.example.org", ok("-----> Skipping: www.example.org already added to fresh\n"))
	f.expect("domains:remove fresh fresh.example.com *.example.org", ok("-----> Removed fresh.example.com from fresh\n-----> Removed *.example.org from fresh\n"))
	f.expect("domains:remove fresh nosuch.org", fails(1, " !     Domain nosuch.org does not belong to app fresh, which has: www.example.org\n"))
	f.expect("domains:remove fresh www.example.org", ok("-----> Removed www.example.org from fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("\n"))
	f.expect("domains:add fresh c.example.org", ok("-----> Added c.example.org to fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("c.example.org\n"))
	f.expect("domains:set fresh a.example.org b.example.org", ok("-----> Set a.example.org b.example.org for fresh\n"))
	f.expect("domains:clear fresh", ok("-----> Cleared domains in fresh\n"))
	f.expect("domains:report fresh --domains-app-vhosts", ok("\n"))
	f.expect("domains:report fresh --domains-app-enabled", ok("true\n"))
	f.run("apps:rename", "fresh", "bare") // without an engine it is done later
	f.expect("domains:report bare --domains-app-vhosts", ok("\n"))
	f.expect("domains:reset bare", ok("-----> Reset domains for bare\n"))
	f.expect("domains:report bare --domains-app-vhosts", ok("bare.example.com\n"))
	f.expect("apps:create www.example.net", ok("-----> Creating www.example.net...\n"))
	f.expect("domains:report www.example.net --domains-app-vhosts", ok("www.example.net\n"))
	f.expect("domains:add bare www.example.net", fails(1,
		" !     Domain www.example.net belongs to app www.example.net: remove it there first (dokku domains:remove www.example.net www.example.net)\n"))
}

func TestGlobalDomains(t *testing.T) {
	f := newFixture(t)
	f.expect("domains:set taken fresh.example.net", ok("-----> Set fresh.example.net for taken\n"))
	f.expect("domains:set-global example.net", fails(1,
		" !     Domain fresh.example.net of app taken would belong to app fresh too: remove it there first (dokku domains:remove taken fresh.example.net)\n"))
	for _, name := range []string{"hello", "shipped", "stopped"} {
		f.state(name, app.State{})
	}
	f.expect("domains:set-global a.net b.net", ok("-----> Set a.net b.net\n"))
	f.expect("domains:report hello --domains-app-vhosts", ok("hello.a.net hello.b.net\n"))
}
