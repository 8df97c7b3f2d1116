package cli

import (
	"strings"
	"testing"
)

// TestChanges has commands that are events, and those that only read.
func TestChanges(t *testing.T) {
	for line, want := range map[string]bool{
		"apps:create": true, "apps:destroy": true, "apps:list": false, "apps:locked": false, "config:set": true, "config:show": false,
		"config:get": false, "config:export": false, "config": false, "ps": false, "ps:scale": false, "ps:scale format": false, "ps:scale web=2": true, "ps:restart": true,
		"ps:report": false, "ps:restore": true, "deploy:all": true, "logs": false, "logs:failed": false, "run ls": true, "run:list": false,
		"run:stop": true, "enter web": true, "resource:limit": false, "resource:limit memory": true, "resource:limit process-type format": false, "resource:limit-clear": true,
		"certs:show": false, "certs:add": true, "nginx:show-config": false, "nginx:access-logs": false, "nginx:set x": true,
		"git:public-key": false, "git:auth-status x": false, "git:sync x": true, "releases": false, "releases:show v1": false,
		"releases:rollback": true, "deploys:log": false, "deploys:cancel": true, "events": false, "events:off": true, "notify:add x": true,
		"notify:test": false, "backup": true, "restore": true, "doctor": false, "doctor quiet": false, "doctor fix": true, "version": false, "help": false, "ssh-keys:add x": true,
		"ssh-keys:list": false, "letsencrypt:enable": true, "letsencrypt:active": false, "urls": false, "cleanup": true,
	} {
		words := strings.Fields(line)
		if got := changes(words[0], words[1:]); got != want {
			t.Errorf("%s changes something: %v, want %v", line, got, want)
		}
	}
}
