package keys

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"
	"mvdan.cc/sh/v3/syntax"
)

// ForcedCommand returns the command that sshd must run for each key, up to the
// key's name, which follows it: "DOKKU_ROOT=/home/dokku /usr/bin/dokku shell ".
// sshd gives the command to the login shell, so its words are quoted.
func ForcedCommand(root, binary string) (string, error) {
	var quoted [2]string
	for i, path := range []string{root, binary} {
		var err error
		if quoted[i], err = syntax.Quote(path, syntax.LangPOSIX); err != nil {
			return "", fmt.Errorf("cannot name %q in authorized_keys: %w", path, err)
		}
	}
	return fmt.Sprintf("DOKKU_ROOT=%s %s shell ", quoted[0], quoted[1]), nil
}

// A Fault is a line of authorized_keys whose key does not run the forced command.
type Fault struct {
	Line    int // counted from 1
	Comment string
	Text    string // the fault, as the end of a sentence about the line
}

// Inspect counts the keys in the text of authorized_keys and returns the faulty
// lines. A forced command of an administrator's own is no fault.
func Inspect(text []byte, root, binary string) (count int, faults []Fault, err error) {
	want, err := ForcedCommand(root, binary)
	if err != nil {
		return 0, nil, err
	}
	number := 0
	for line := range bytes.Lines(text) {
		number++
		_, comment, options, _, err := ssh.ParseAuthorizedKey(line)
		if err != nil {
			continue // empty, or a comment
		}
		count++
		if fault := faultOf(options, want); fault != "" {
			faults = append(faults, Fault{number, comment, fault})
		}
	}
	return count, faults, nil
}

// named matches what stands before the forced command: see commandOption.
var named = regexp.MustCompile(`^FINGERPRINT=\S+ NAME=\S+ `)

// faultOf describes the fault in a key's options; "" if there is none.
func faultOf(options []string, want string) string {
	for _, o := range options {
		command, ok := strings.CutPrefix(o, `command="`)
		switch command = strings.ReplaceAll(strings.TrimSuffix(command, `"`), `\"`, `"`); {
		case !ok:
		case strings.HasPrefix(named.ReplaceAllString(command, ""), want):
			return faultOfRights(strings.Fields(named.ReplaceAllString(command, "")[len(want):]))
		case strings.Contains(command, " shell "):
			return "runs dokku from another place, or for another root, than " + want
		default:
			return ""
		}
	}
	return "has no forced command: that key gets a shell"
}

// faultOfRights describes the fault in the words after the forced command: the key's name and
// its grant.
func faultOfRights(words []string) string {
	if len(words) == 0 {
		return "does not name its key, which can do nothing"
	}
	if _, err := ParseGrant(words[1:]); err != nil {
		return "has rights by which the key can do nothing: " + err.Error()
	}
	return ""
}
