package command

import (
	"bytes"
	"os"
	"testing"
)

func TestConfig(t *testing.T) {
	f := newFixture(t)
	f.expect("config:set fresh A=1 LONGER=2", ok("-----> Setting config vars\n       A:       1\n       LONGER:  2\n"))
	f.expect("--quiet config:set fresh B=", ok(""))
	f.expect("config:get fresh A", ok("1\n"))
	f.expect("config:get fresh B", ok("\n"))
	f.expect("config:get fresh C", fails(1, ""))
	f.expect("config:keys fresh", ok("A\nB\nLONGER\n"))
	f.expect("config:show fresh", ok("=====> fresh env vars\nA:       1\nB:\nLONGER:  2\n"))
	f.expect("config:unset fresh A B", ok("-----> Unsetting A\n-----> Unsetting B\n"))
	f.expect("config:set --global A=all B=all --no-restart", ok("-----> Setting config vars\n       A:  all\n       B:  all\n"+
		"       It takes effect in each app with its next deploy or restart (dokku ps:restart --all)\n"))
	f.expect("config:get --global A", ok("all\n"))
	f.expect("config:set fresh A=own", ok("-----> Setting config vars\n       A:  own\n"))
	f.expect("config:export fresh --merged --format shell", ok("A='own' B='all' LONGER='2' \n"))
	f.expect("config:export fresh", ok("export A='own'\nexport LONGER='2'\n"))
	f.expect("config:export fresh --format json", ok(`{"A":"own","LONGER":"2"}`+"\n"))
	f.expect("config:set fresh --no-echo LONGER=secret A=1", ok("-----> Setting config vars\n       A\n       LONGER\n"))
	f.expect("config:set taken --no-echo PORT=4711 --no-restart", result{stdout: "-----> Setting config vars\n       PORT\n",
		stderr: " !     PORT does not take effect: dokku sets PORT for web. To change it: dokku ports:set taken http:80:N\n"})
	f.expect("config:set fresh --no-echo TOKEN=ab cd", fails(1, " !     Invalid env pair: word 2 has no =\n"+
		" !     Quote a value with blanks, and twice over ssh: \"'TOKEN=...'\"\n"))
	f.expect("config:set fresh --no-echo ab", fails(1, " !     Invalid env pair: word 1 has no =\n"))
	f.expect("config:set fresh --encoded A=b24gdHdvCmxpbmVz", ok("-----> Setting config vars\n       A:  \"on two\\nlines\"\n"))
	f.expect("config:get fresh A", ok("on two\nlines\n"))
	f.expect("config:clear fresh", ok("-----> Unsetting A\n-----> Unsetting LONGER\n"))
	f.expect("config:clear fresh", ok(""))
	f.expect("config:export fresh --format json", ok("{}\n"))
	f.expect("config:set fresh x", fails(1, " !     Invalid env pair: x\n"))
	f.expect("config:set fresh x-y=1", fails(1, " !     Invalid key name: 'x-y'\n"))
	f.remote = "ssh dokku@example.com"
	if got := f.run("config:set", "fresh", "START=dokku run web"); got != ok("-----> Setting config vars\n       START:  dokku run web\n") {
		t.Errorf("a value that reads like a hint: %+v", got)
	}
	f.expect("config:unset fresh START", ok("-----> Unsetting START\n"))
	f.remote, f.terminal = "", true
	f.expect("config:show fresh", ok("=====> fresh env vars\n"))
	f.expect("config:show --global", ok("=====> global env vars\nA:  all\nB:  all\n"))
}

// config:set may show secrets to its caller, but must not log them.
func TestConfigStaysOutOfTheLog(t *testing.T) {
	f := newFixture(t)
	if got := f.run("config:set", "fresh", "PASSWORD=tiger"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	f.expect("config:unset fresh PASSWORD", ok("-----> Unsetting PASSWORD\n"))
	f.expect("config:set fresh --no-restart PORT=tiger", result{stdout: "-----> Setting config vars\n       PORT:  tiger\n",
		stderr: " !     PORT does not take effect: dokku sets PORT for web. To change it: dokku ports:set fresh http:80:N\n"})
	log, err := os.ReadFile(f.root + "/.dokku/log/dokku.log")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(log, []byte("tiger")) || !bytes.Contains(log, []byte("Unsetting PASSWORD")) {
		t.Errorf("the host's log:\n%s", log)
	}
}
