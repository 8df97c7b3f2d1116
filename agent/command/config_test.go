package command

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"strings"
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
	f.expect("config:show fresh", ok("A:       1\nB:\nLONGER:  2\n"))
	f.expect("config:unset fresh A B", ok("-----> Unsetting A\n-----> Unsetting B\n"))
	f.expect("config:set --global A=all B=all --no-restart", ok("-----> Setting config vars\n       A:  all\n       B:  all\n"+
		"       Apps get it with their next deploy or restart (ps:restart --all)\n"))
	f.expect("config:get --global A", ok("all\n"))
	f.expect("config:set fresh A=own", ok("-----> Setting config vars\n       A:  own\n"))
	f.expect("config:export fresh --merged --format shell", ok("A='own' B='all' LONGER='2'\n"))
	f.expect("config:export fresh", ok("export A='own'\nexport LONGER='2'\n"))
	f.expect("config:export fresh --format json", ok(`{"A":"own","LONGER":"2"}`+"\n"))
	f.expect("config:set fresh --encoded A=b24gdHdvCmxpbmVz", ok("-----> Setting config vars\n       A:  \"on two\\nlines\"\n"))
	f.expect("config:get fresh A", ok("on two\nlines\n"))
	f.expect("config:clear fresh", ok("-----> Unsetting A\n-----> Unsetting LONGER\n"))
	f.expect("config:clear fresh", ok(""))
	f.expect("config:export fresh --format json", ok("{}\n"))
	f.expect("config:set fresh x", fails(1, " !     Invalid env pair: x\n"))
	f.expect("config:set fresh x-y=1", fails(1, " !     Invalid key name: 'x-y'\n"))
	f.terminal = true
	f.expect("config:show fresh", ok("=====> fresh env vars\n"))
	f.expect("config:show --global", ok("=====> global env vars\nA:  all\nB:  all\n"))
}

// Secrets that are set may be shown to whoever sets them, and to nobody else.
func TestConfigStaysOutOfTheLog(t *testing.T) {
	f := newFixture(t)
	if got := f.run("config:set", "fresh", "PASSWORD=tiger"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	f.expect("config:unset fresh PASSWORD", ok("-----> Unsetting PASSWORD\n"))
	log, err := os.ReadFile(f.root + "/.dokku/log/dokku.log")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(log, []byte("tiger")) || !bytes.Contains(log, []byte("Unsetting PASSWORD")) {
		t.Errorf("the host's log:\n%s", log)
	}
}

var hostile = map[string]string{
	"PLAIN": "value", "EMPTY": "", "SPACES": "  a  b ", "SINGLE": "it's", "DOUBLE": `say "hi"`, "DOLLAR": "$HOME ${A} $(id)",
	"TICKS": "`id`", "SLASH": `a\nb\\c\`, "LINES": "one\ntwo\n", "CR": "a\r\nb", "BANG": "wow!!", "SEMI": "a; b & c | d > e",
	"HASH": "#no comment", "EQUALS": "a=b=c", "UTF": "größe ☃", "ESC": "\x1b[31mred", "TAB": "a\tb", "QUOTES": `'"'"'`, "NUMBER": "08",
}

// A shell gets back every value byte for byte.
func TestExportThroughAShell(t *testing.T) {
	for _, format := range []string{"exports", "shell"} {
		text, err := export(hostile, format)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range hostile {
			script := text + "\nprintf %s \"$" + key + "\""
			cmd := exec.CommandContext(t.Context(), "sh", "-c", script)
			cmd.Env = []string{}
			if got, err := cmd.Output(); err != nil || string(got) != want {
				t.Errorf("%s: %s is %q (%v), want %q", format, key, got, err, want)
			}
		}
	}
}

func TestExport(t *testing.T) {
	text, err := export(hostile, "json")
	var back map[string]string
	if err != nil || json.Unmarshal([]byte(text), &back) != nil || len(back) != len(hostile) {
		t.Fatalf("%s: %v", text, err)
	}
	for k, v := range hostile {
		if back[k] != v {
			t.Errorf("json: %s is %q, want %q", k, back[k], v)
		}
	}
	text, err = export(map[string]string{"A": "it's \"$x\" `y` \\ \n"}, "envfile")
	if want := "A=\"it's \\\"\\$x\\\" \\`y\\` \\\\ \\n\"\n"; err != nil || text != want {
		t.Errorf("envfile: %q, want %q (%v)", text, want, err)
	}
}

func TestShowIsHarmless(t *testing.T) {
	shown := pairs(hostile)
	if strings.ContainsAny(shown, "\x1b\r") || strings.Count(shown, "\n") != len(hostile) {
		t.Errorf("%q", shown)
	}
}
