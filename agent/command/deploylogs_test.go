package command

import (
	"os"
	"path/filepath"
	"testing"

	"dokku/agent/app"
	"dokku/agent/proc"
	"dokku/agent/store"
)

// put writes a file of text below the root.
func (f *fixture) put(name, text string) {
	f.t.Helper()
	path := filepath.Join(f.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

func TestLogsFailed(t *testing.T) {
	f := newFixture(t)
	none := result{stderr: " !     No failed containers found\n"}
	f.expect("logs:failed hello", none)
	f.put("hello/dokku/deploys/failed.log", "web.1 2026-11-22T10:00:00Z one\nweb.1 2026-11-22T10:00:02Z three\n"+
		"web.1 the rest of three\nworker.1 2026-11-22T10:00:01Z two \x1b[2J\n")
	named := "2026-11-22T10:00:00Z app[web.1]: one\n2026-11-22T10:00:01Z app[worker.1]: two \n" +
		"2026-11-22T10:00:02Z app[web.1]: three\n app[web.1]: the rest of three\n"
	f.expect("logs:failed hello", ok(named))
	f.expect("logs:failed hello -q", ok("one\ntwo \nthree\nthe rest of three\n"))
	f.expect("logs:failed hello --quiet", ok("one\ntwo \nthree\nthe rest of three\n"))
	f.expect("--quiet logs:failed hello", ok(named))
	each := "-----> Running logs:failed against app fresh\n-----> Running logs:failed against app hello\n" + named +
		"-----> Running logs:failed against app shipped\n-----> Running logs:failed against app stopped\n-----> Running logs:failed against app taken\n"
	missing := none.stderr + none.stderr + none.stderr + none.stderr
	f.expect("logs:failed --all", result{stdout: each, stderr: missing})
	f.expect("logs:failed", result{stdout: each, stderr: " !     Deprecated: logs:failed specified without app, assuming --all\n" + missing})
}

func TestDeployLog(t *testing.T) {
	f := newFixture(t)
	f.put("hello/dokku/deploys/9.log", "2026-11-22T10:00:00.000Z -----> Building hello\n2026-11-22T10:00:01.000Z (build took 1.0ms) \n"+
		"2026-11-22T10:00:02.000Z  !     cannot build\n")
	f.put("hello/dokku/deploys/10.log", "2026-11-23T10:00:00.000Z -----> Building hello\n2026-11-23T10:00:01.000Z        (in brackets)\n"+
		"2026-11-23T10:00:02.000Z =====> Application deployed\n")
	f.put("hello/dokku/deploys/failed.log", "web.1 2026-11-22T10:00:00Z one\n")
	tenth := "-----> Building hello\n       (in brackets)\n=====> Application deployed\n"
	f.expect("deploys:log hello", ok(tenth))
	f.expect("deploys:log hello 10", ok(tenth))
	f.expect("deploys:log hello 9", ok("-----> Building hello\n !     cannot build\n"))
	f.expect("deploys:log hello 8", fails(1, " !     App hello has no log of deploy 8: it has those of 9 to 10\n"))
	f.expect("deploys:log hello last", fails(1, " !     Invalid deploy \"last\": give its number, from 9 to 10\n"))
	f.put("hello/dokku/deploys/11.log", "2026-11-24T10:00:00.000Z        To start it: dokku ps:start hello\n")
	f.expect("deploys:log hello", ok("       To start it: dokku ps:start hello\n"))
	f.remote = "ssh dokku@example.com"
	f.expect("deploys:log hello", ok("       To start it: dokku ps:start hello\n")) // an app may have printed it
	f.terminal = true
	f.expect("deploys:log hello 10", ok("=====> hello deploy 10, 2026-11-23T10:00:00.000Z\n"+tenth))
}

// deploys stores the records of three deploys: one deployed, one rejected, one whose
// process was killed.
func (f *fixture) deploys() {
	f.put("hello/dokku/deploys/1.log", "2026-11-22T10:00:00.000Z -----> Building hello\n")
	f.put("hello/dokku/deploys/1.json", `{"version":1,"number":1,"cause":"push","by":"ann","revision":"`+revision+`","message":"Fix the login","release":1,`+
		`"began":"2026-11-22T10:00:00Z","ended":"2026-11-22T10:00:02.5Z","state":"deployed","phases":[{"name":"validate","milliseconds":1.5},`+
		`{"name":"build","milliseconds":2041}],"owner":{"boot":"earlier","pid":7,"start":1}}`)
	f.put("hello/dokku/deploys/2.log", "2026-11-22T11:00:00.000Z -----> Building hello\n2026-11-22T11:00:01.000Z  !     web.1 does not listen\n")
	f.put("hello/dokku/deploys/2.json", `{"version":1,"number":2,"cause":"ps:rebuild","revision":"`+revision+`",`+
		`"began":"2026-11-22T11:00:00Z","ended":"2026-11-22T11:01:30Z","state":"rejected","error":"web.1 does not listen","owner":{"boot":"earlier","pid":8,"start":1}}`)
	f.put("hello/dokku/deploys/3.log", "2026-11-22T12:00:00.000Z -----> Building hello\n")
	f.put("hello/dokku/deploys/3.json", `{"version":1,"number":3,"cause":"releases:rollback","by":"bea","revision":"`+revision+`",`+
		`"began":"2026-11-22T12:00:00Z","state":"running","owner":{"boot":"earlier","pid":9,"start":1}}`)
}

func TestDeploys(t *testing.T) {
	f := newFixture(t)
	f.expect("deploys hello", fails(1, " !     App hello has no record of a deploy yet\n"))
	f.expect("deploys hello --format json", ok("[]\n"))
	f.expect("deploys:cancel hello", fails(1, " !     No deploy of hello is under way\n"))
	f.deploys()
	f.expect("--quiet deploys hello", ok(""+
		"1  2026-11-22 10:00:00Z  ann  push               3f2c1d9  deployed     v1  2.5s   Fix the login; build 2.0s\n"+
		"2  2026-11-22 11:00:00Z       ps:rebuild         3f2c1d9  rejected         90.0s  web.1 does not listen\n"+
		"3  2026-11-22 12:00:00Z  bea  releases:rollback  3f2c1d9  interrupted\n"))
	f.expect("deploys hello --format json", ok(`[{"number":1,"state":"deployed","cause":"push","by":"ann","revision":"`+revision+`","message":"Fix the login",`+
		`"release":1,"began":"2026-11-22T10:00:00Z","ended":"2026-11-22T10:00:02.5Z","milliseconds":2500,"phases":[{"name":"validate","milliseconds":1.5},`+
		`{"name":"build","milliseconds":2041}]},`+
		`{"number":2,"state":"rejected","cause":"ps:rebuild","revision":"`+revision+`","began":"2026-11-22T11:00:00Z","ended":"2026-11-22T11:01:30Z",`+
		`"milliseconds":90000,"error":"web.1 does not listen"},`+
		`{"number":3,"state":"interrupted","cause":"releases:rollback","by":"bea","revision":"`+revision+`","began":"2026-11-22T12:00:00Z"}]`+"\n"))
	f.expect("deploys hello --format yaml", fails(1, " !     Invalid --format \"yaml\", valid values: stdout, json\n"))
	f.terminal = true
	f.expect("deploys hello", ok("=====> hello deploys\n"+
		"deploy  began                 by   cause              revision  state        release  took   notes\n"+
		"1       2026-11-22 10:00:00Z  ann  push               3f2c1d9   deployed     v1       2.5s   Fix the login; build 2.0s\n"+
		"2       2026-11-22 11:00:00Z       ps:rebuild         3f2c1d9   rejected              90.0s  web.1 does not listen\n"+
		"3       2026-11-22 12:00:00Z  bea  releases:rollback  3f2c1d9   interrupted\n"))
}

// TestFollowedDeploy: the exit code of deploys:log -t is the deploy's; a log that just stops
// says why.
func TestFollowedDeploy(t *testing.T) {
	f := newFixture(t)
	f.deploys()
	f.expect("deploys:log hello 1 -t", ok("-----> Building hello\n"))
	f.expect("deploys:log hello 2", ok("-----> Building hello\n !     web.1 does not listen\n"))
	f.expect("deploys:log hello 2 -t", result{code: 1, stdout: "-----> Building hello\n !     web.1 does not listen\n"})
	const killed = " !     Deploy 3 of hello was interrupted: its process was killed\n"
	f.expect("deploys:log hello", result{stdout: "-----> Building hello\n", stderr: killed})
	f.expect("deploys:log hello -t", result{code: 1, stdout: "-----> Building hello\n", stderr: killed})

	me, err := proc.This()
	if err != nil {
		t.Fatal(err)
	}
	d := app.Deploy{Number: 3, Cause: "push", Revision: revision, State: app.DeployRunning, Owner: me}
	st := &store.Store{Root: f.root}
	if err := st.SaveDeploy("hello", &d); err != nil {
		t.Fatal(err)
	}
	followed := make(chan result)
	go func() { followed <- f.run("deploys:log", "hello", "-t") }()
	f.put("hello/dokku/deploys/3.log", "2026-11-22T12:00:00.000Z -----> Building hello\n2026-11-22T12:00:01.000Z -----> Releasing hello v2\n")
	d.State = app.DeployDone
	if err := st.SaveDeploy("hello", &d); err != nil {
		t.Fatal(err)
	}
	if got, want := <-followed, ok("-----> Building hello\n-----> Releasing hello v2\n"); got != want {
		t.Errorf("it follows %+v, want %+v", got, want)
	}
}

// TestBuilds: the same records under Dokku's names, with its columns, keys and words.
func TestBuilds(t *testing.T) {
	f := newFixture(t)
	f.expect("builds:list hello", ok("No builds recorded for this app\n"))
	f.expect("builds:list", ok("No builds currently running\n"))
	f.expect("builds:cancel hello", ok("-----> App not currently deploying\n"))
	f.expect("builds:output hello", ok("-----> App not currently deploying\n"))
	f.deploys()
	f.expect("builds:list hello", ok(""+
		"Build ID  Kind    Status     PID  Source             Started               Duration\n"+
		"3         deploy  abandoned  9    releases:rollback  2026-11-22T12:00:00Z  0s\n"+
		"2         build   failed     8    ps:rebuild         2026-11-22T11:00:00Z  1m30s\n"+
		"1         build   succeeded  7    git-hook           2026-11-22T10:00:00Z  3s\n"))
	f.expect("builds:list", ok("No builds currently running\n"))
	log := f.root + "/hello/dokku/deploys/"
	first := `{"id":"1","app":"hello","kind":"build","pid":7,"started_at":"2026-11-22T10:00:00Z","finished_at":"2026-11-22T10:00:02.5Z",` +
		`"status":"succeeded","source":"git-hook","exit_code":0,"display_status":"succeeded","duration":"3s","log_path":"` + log + `1.log"}`
	f.expect("builds:list hello --format json --status succeeded", ok("["+first+"]\n"))
	f.expect("builds:list hello --kind deploy --format json", ok(`[{"id":"3","app":"hello","kind":"deploy","pid":9,"started_at":"2026-11-22T12:00:00Z",`+
		`"status":"running","source":"releases:rollback","display_status":"abandoned","duration":"0s","log_path":"`+log+`3.log"}]`+"\n"))
	f.expect("builds:list hello --kind none", fails(1, " !     Invalid --kind value \"none\" (allowed: build, deploy)\n"))
	f.expect("builds:list hello --status done", fails(1, " !     Invalid --status value \"done\" (allowed: running, succeeded, failed, canceled, abandoned)\n"))
	f.expect("builds:list hello --format yaml", fails(1, " !     Invalid format specified, supported formats: json, stdout\n"))

	f.expect("builds:info hello 1 --format json", ok(first+"\n"))
	f.expect("builds:info hello 2", ok("Build ID:   2\nApp:        hello\nKind:       build\nStatus:     failed\nPID:        8\nSource:     ps:rebuild\n"+
		"Started:    2026-11-22T11:00:00Z\nFinished:   2026-11-22T11:01:30Z\nDuration:   1m30s\nExit Code:  1\nLog:        "+log+"2.log\n"))
	f.expect("builds:info hello 9", fails(1, " !     No build record found for hello/9\n"))
	f.expect("builds:info hello", fails(1, " !     Please specify a build id\n !     Usage: dokku builds:info APP BUILD-ID\n"))
	f.expect("builds:output hello 1", ok("-----> Building hello\n"))
	f.expect("builds:output hello x", fails(1, " !     no such build x for app hello\n"))
	f.expect("builds:output hello current", ok("-----> App not currently deploying\n"))
}
