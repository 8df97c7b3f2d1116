package command

import (
	"os"
	"path/filepath"
	"testing"
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
