package command

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dokku/agent"
	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/proxy"
	"dokku/agent/proxy/doors"
	"dokku/agent/proxy/doors/doorstest"
	"dokku/agent/proxy/memory"
)

// A guarded runs commands on a server with a front door in memory.
type guarded struct {
	t          *testing.T
	server     *agent.Server
	root       string
	here, away *memory.Proxy
	door       *doorstest.Door
}

func newGuarded(t *testing.T) *guarded {
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, ".dokku"), 0o700); err != nil {
		t.Fatal(err)
	}
	server, err := agent.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	server.Version = "1.2.3 abc"
	g := &guarded{t: t, server: server, root: root, here: memory.New(), away: memory.New()}
	g.door = doorstest.New(t, "two", g.away)
	g.door.Version = "1.2.3 unknown"
	of := server.Doors
	pool := of(app.Settings{}).Pool
	pool.Dial = doorstest.Dialer(g.door)
	t.Cleanup(pool.Close)
	server.Env.Reach = func(set app.Settings) proxy.Proxy { return doors.New(g.here, server.Doors(set)) }
	return g
}

var keyText = regexp.MustCompile(`ssh-ed25519 [A-Za-z0-9+/=]+`)

// says runs a command line, whose exit code and output have to be these. KEY stands for the
// server's key, and HOSTKEY for the fingerprint of the front door's.
func (g *guarded) says(line string, code int, want string) {
	g.t.Helper()
	got, text := g.run(line)
	text = keyText.ReplaceAllString(text, "KEY")
	text = regexp.MustCompile(`SHA256:[A-Za-z0-9+/]{43}`).ReplaceAllString(text, "HOSTKEY")
	if got != code || text != want {
		g.t.Errorf("dokku %s\n got %d\n%s\nwant %d\n%s", line, got, text, code, want)
	}
}

func (g *guarded) run(line string) (code int, text string) {
	g.t.Helper()
	var out bytes.Buffer
	code = Execute(g.t.Context(), cli.Env{Root: g.root, Server: g.server, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, Version: "1.2.3"}, strings.Split(line, " "))
	return code, out.String()
}

func TestFrontDoorCommands(t *testing.T) {
	g := newGuarded(t)
	g.says("front-door:list", 0, " !     There is no front door: dokku front-door:add adds one\n")
	g.says("front-door:list --format json", 0, "[]\n")
	g.says("front-door:enable two", 1, " !     there is no front door \"two\": dokku front-door:add adds one\n")
	g.says("front-door:add", 1, " !     No name or address specified\n !     Usage: dokku front-door:add NAME ADDRESS\n")
	g.says("front-door:disable", 1, " !     No front door specified\n !     Usage: dokku front-door:disable NAME\n")
	g.says("front-door:add Two two.test", 1, " !     invalid name \"Two\" of a front door: use lower case letters, digits and '-', at most 32\n")
	g.says("front-door:add two two.test:0", 1, " !     invalid address \"two.test:0\" of a front door: a port is a number from 1 to 65535; give [USER@]HOST[:PORT], such as 203.0.113.2\n")
	g.says("front-door:add two other.test", 1, " !     cannot reach sshd at other.test:22: dial other.test:22: no such host\n")
	g.says("front-door:add two two.test --server-address none", 1, " !     invalid address \"none\" of this server: give the IP address at which the front door reaches it\n")
	g.says("front-door:add two two.test --host-key nonsense", 1,
		" !     invalid host key \"nonsense\": give the line of a file /etc/ssh/ssh_host_*_key.pub of the front door\n")
	const added = `-----> Added front door two at two.test
       Its sshd has the key HOSTKEY
       It is to reach this server at 192.0.2.1
       Run there, in a checkout of dokku:
       sudo ./install.sh front-door 'KEY'
       Then here: dokku front-door:enable two
`
	g.says("front-door:add two two.test", 0, added)
	g.says("front-door:add two two.test", 1, " !     there is a front door two already, at two.test: remove it first (dokku front-door:remove two), or choose another name\n")
	g.says("front-door:key", 0, "sudo ./install.sh front-door 'KEY'\n")
	g.says("front-door:list", 0, "=====> Front doors\nname  address   state     apps    host key\ntwo   two.test  disabled  0 of 0  HOSTKEY\n")
	g.says("front-door:enable two", 1, " !     front door two (two.test): it does not accept this server's key; run there: sudo ./install.sh front-door 'KEY'\n")
	g.says("front-door:sync two", 1, " !     front door two is disabled: dokku front-door:enable two sends it all routes\n")
	_, line := g.run("front-door:key")
	g.door.Allow(keyText.FindString(line))
	g.says("front-door:enable two", 0, "-----> Front door two serves the routes of this server\n")
	g.says("front-door:report", 0, "=====> Front doors\nname  address   state    apps    host key\ntwo   two.test  enabled  0 of 0  HOSTKEY\n")
	g.says("front-door:report one", 1, " !     there is no front door \"one\": there are two\n")
	g.says("front-door:sync two", 0, "-----> Front door two serves the routes of this server\n")
	g.says("front-door:list --format json", 0,
		`[{"name":"two","address":"two.test","enabled":true,"host-key":"HOSTKEY","from":"192.0.2.2","server-address":"192.0.2.1","proven":[],"missing":[],"leave-out-after":0}]`+"\n")

	g.says("front-door:set two leave-out-after 10", 1, " !     invalid leave-out-after 10: use 30 to 86400 seconds, or none for never\n")
	g.says("front-door:set two leave-out-after soon", 1, " !     invalid leave-out-after \"soon\": give a number of seconds, 30 to 86400, or none for never\n")
	g.says("front-door:set two weight 1", 1, " !     invalid property \"weight\" of a front door: there is leave-out-after\n")
	g.says("front-door:set one leave-out-after 60", 1, " !     there is no front door \"one\": there are two\n")
	g.says("front-door:set two leave-out-after", 0, "=====> Unsetting leave-out-after\n")
	g.says("front-door:set two leave-out-after 60", 0, "=====> Setting leave-out-after to 60\n")

	g.door.Version = "1.2.2 abc"
	g.says("front-door:report two --quiet", 0, "two  two.test  enabled  0 of 0  HOSTKEY\n"+
		" !     front door two has version 1.2.2 abc of dokku, this server 1.2.3 abc; to fix: update both; there, run the line of dokku front-door:key again\n")
	g.door.Down(true)
	g.says("front-door:report", 1, "=====> Front doors\nname  address   state    apps    host key\ntwo   two.test  enabled  0 of 0  HOSTKEY\n"+
		" !     front door two (two.test): connection refused; to fix: start it; or take it out of the DNS, then: dokku front-door:disable two\n")
	g.says("front-door:report --format json", 1, `[{"name":"two","address":"two.test","enabled":true,"host-key":"HOSTKEY","from":"192.0.2.2","server-address":"192.0.2.1","proven":[],"missing":[],"leave-out-after":60,`+
		`"running":false,"version":"","clock-off":0,"problems":["front door two (two.test): connection refused"]}]`+"\n")
	g.says("nginx:set --global trusted-proxies 10.0.0.0/8", 1, "=====> Setting trusted-proxies to 10.0.0.0/8\n !     front door two (two.test): connection refused\n"+
		" !     To go on without it, take it out of the DNS first, then: dokku front-door:disable two\n")
	g.says("front-door:disable two", 0, "-----> Front door two is disabled: it goes on serving what it has\n")
	g.says("front-door:remove two", 0, "-----> Removed front door two: it goes on serving what it has\n       To end that, run there: sudo ./install.sh uninstall --purge\n")
	g.says("front-door:remove two", 1, " !     there is no front door \"two\": dokku front-door:add adds one\n")
}

// TestFrontDoorKeys: only the key that was given, or seen first, is taken for the front door.
func TestFrontDoorKeys(t *testing.T) {
	g := newGuarded(t)
	other := doorstest.New(t, "two", g.away)
	code, text := g.run("front-door:add two two.test --host-key " + strings.ReplaceAll(other.App.HostKey, " ", "\t"))
	if code != 1 || !strings.Contains(text, "sshd at two.test has the key SHA256:") {
		t.Errorf("%d %s", code, text)
	}
	if code, text := g.run("front-door:add two two.test --server-address 192.0.2.9 --host-key " + strings.ReplaceAll(g.door.App.HostKey, " ", "\t")); code != 0 {
		t.Fatal(text)
	}
	g.server.Doors(app.Settings{}).Pool.Dial = doorstest.Dialer(other)
	code, text = g.run("front-door:enable two")
	if code != 1 || !strings.Contains(text, "it has another host key than SHA256:") || other.Calls() > 0 {
		t.Errorf("%d %s", code, text)
	}
}

// TestFrontDoorClock: a clock that is off is named.
func TestFrontDoorClock(t *testing.T) {
	g := newGuarded(t)
	g.run("front-door:add two two.test")
	_, line := g.run("front-door:key")
	g.door.Allow(keyText.FindString(line))
	g.run("front-door:enable two")
	g.door.Clock = func() time.Time { return time.Now().Add(-2 * time.Minute) }
	if code, text := g.run("front-door:report"); code != 1 || !strings.Contains(text, "the clock of front door two is off by 2m0s") {
		t.Errorf("%d %s", code, text)
	}
}
