package event

import (
	"bytes"
	"testing"
)

func TestHints(t *testing.T) {
	for text, want := range map[string]string{
		"to start it: dokku ps:start hello":                       "to start it: ssh dokku@example.com ps:start hello",
		"dokku ps:start hello (why it ended: dokku logs hello)":   "ssh dokku@example.com ps:start hello (why it ended: ssh dokku@example.com logs hello)",
		"run dokku doctor.":                                       "run ssh dokku@example.com doctor.",
		"dokku --force apps:destroy hello":                        "ssh dokku@example.com --force apps:destroy hello",
		"See `dokku help` for a list of available commands.":      "See `dokku help` for a list of available commands.",
		"Usage: dokku ps:set APP KEY [VALUE]":                     "Usage: dokku ps:set APP KEY [VALUE]",
		"the user dokku runs it":                                  "the user dokku runs it",
		"dokku sets PORT; dokku ports:set hello http:80:3000":     "dokku sets PORT; ssh dokku@example.com ports:set hello http:80:3000",
		"give it again with dokku certs:update: it is gone":       "give it again with ssh dokku@example.com certs:update: it is gone",
		"first: dokku ps:start hello\nand then":                   "first: ssh dokku@example.com ps:start hello\nand then",
		"dokku cleanup, dokku backup":                             "ssh dokku@example.com cleanup, ssh dokku@example.com backup",
		"add one first (dokku certs:add hello CRT KEY)":           "add one first (tar c CRT KEY | ssh dokku@example.com certs:add hello)",
		"let cron call on the server: dokku run APP COMMAND":      "let cron call on the server: dokku run APP COMMAND",
		"mv a b && dokku doctor hello --fix":                      "mv a b && dokku doctor hello --fix",
		"starts it again, on the server: sudo dokku config:show":  "starts it again, on the server: sudo dokku config:show",
		"for one on this server: sudo dokku registry:serve":       "for one on this server: sudo dokku registry:serve",
		"dump it (on the old server: dokku postgres:export db)":   "dump it (on the old server: dokku postgres:export db)",
		"root@old.test: dokku config:export hello: no such app":   "root@old.test: dokku config:export hello: no such app",
		"ssh root@example.com, then as root: sudo -u dokku login": "ssh root@example.com, then as root: sudo -u dokku login",
	} {
		if got := Hints(text, "ssh dokku@example.com"); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
		if got := Hints(text, ""); got != text {
			t.Errorf("on the server: %s\n got %s", text, got)
		}
	}
}

// TestHintsBeside: beside Dokku, the program has another name on the server itself.
func TestHintsBeside(t *testing.T) {
	for text, want := range map[string]string{
		"to start it: dokku ps:start hello":                     "to start it: dokku-beside ps:start hello",
		"add one first (dokku certs:add hello CRT KEY)":         "add one first (dokku-beside certs:add hello CRT KEY)",
		"let cron call on the server: dokku run APP COMMAND":    "let cron call on the server: dokku-beside run APP COMMAND",
		"mv a b && dokku doctor hello --fix":                    "mv a b && dokku-beside doctor hello --fix",
		"Start it there: dokku postgres:start db":               "Start it there: dokku postgres:start db",
		"dump it (on the old server: dokku postgres:export db)": "dump it (on the old server: dokku postgres:export db)",
	} {
		if got := Hints(text, "dokku-beside"); got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// TestTerminalHints: an app's own output stays as it is, and the logs name the command as
// it is on the server.
func TestTerminalHints(t *testing.T) {
	var out, kept bytes.Buffer
	term := NewTerminal(&out, &out, false)
	term.Over("ssh dokku@example.com")
	log := New(term, &kept)
	log.Detail("To start it: dokku ps:start hello")
	log.Warn("dokku logs hello")
	log.Output("dokku ps:start hello")
	term.Close()
	if want := "       To start it: ssh dokku@example.com ps:start hello\n !     ssh dokku@example.com logs hello\n       dokku ps:start hello\n"; out.String() != want {
		t.Errorf("printed\n%swant\n%s", out.String(), want)
	}
	if bytes.Contains(kept.Bytes(), []byte("ssh")) {
		t.Errorf("the log has %s", kept.Bytes())
	}
}
