package command

import (
	"strings"
	"testing"
)

// wrongRunLines belong to wrongLines.
const wrongRunLines = `
run                                => Please specify an app to run the command on
run ""                             => Please specify an app to run the command on
run hello                          => Missing COMMAND
run -e A=1 hello                   => Missing COMMAND
run hello ""                       => No command specified: the first word after the app is empty
run hello "  " x                   => No command specified: the first word after the app is empty
run hello "a\x00b"                 => Invalid argument "ab": it contains a NUL byte, which a command line cannot hold
run hello ls "\xff"                => Invalid argument
run nosuch ls                      => 20 App nosuch does not exist
run ../hello ls                    => App name "../hello" is not valid
run fresh ls                       => App fresh has not been deployed
run fresh --help                   => App fresh has not been deployed
run --rm hello ls                  => Invalid flag --rm for run, valid flags: --app, --env, --force, --force-tty, --label, --no-tty, --no-wait, --quiet
run -e hello                       => Please specify an app to run the command on
run -e A hello ls                  => Invalid env pair: A
run -e A-B=1 hello ls              => Invalid key name: 'A-B'
run -e =1 hello ls                 => Invalid key name: ''
run -e "A=\x00" hello ls           => Invalid value for key 'A': it contains a NUL byte
run --env "A\nB=1" hello ls        => Invalid key name: 'A B'
run --ttl-seconds x hello ls       => --ttl-seconds must be a positive integer
run --ttl-seconds 0 hello ls       => --ttl-seconds must be a positive integer
run --ttl-seconds=-1 hello ls      => --ttl-seconds must be a positive integer
run --ttl-seconds 99999999999 hello ls => --ttl-seconds must be a positive integer
run --no-tty --force-tty hello ls  => Cannot specify both --force-tty and --no-tty
run:detached fresh ls              => App fresh has not been deployed
run:detached hello                 => Missing COMMAND
run:detached --ttl-seconds 1.5 hello ls => --ttl-seconds must be a positive integer
run:list                           => Please specify an app to run the command on
run:list nosuch                    => 20 App nosuch does not exist
run:list hello x                   => Unexpected argument "x"
run:list hello --format xml        => Invalid format "xml", valid values: stdout, json
run:logs                           => No container or app specified
run:logs hello -n x                => Invalid value "x" for --num: give the number of lines
run:logs hello --container ""      => Invalid container name specified:
run:logs hello --container x       => Invalid container name specified: x
run:logs hello --container hello.run.x => Invalid container name specified: hello.run.x
run:logs hello --container hello.web.1 => Specified container must be a run container: hello.web.1
run:logs hello --container fresh.run.1 => Specified container fresh.run.1 is not one of app hello
run:logs --container nosuch.run.1  => 20 App nosuch does not exist
run:logs --container ../x.run.1    => App name "../x" is not valid
run:stop                           => No container or app specified
run:stop hello --container "\x1b[2J" => Invalid container name specified:
run:stop hello --container .run.1  => Invalid container name specified: .run.1
run:nosuch hello                   => ${"\x60run:nosuch\x60 is not a dokku command."}
enter                              => Please specify an app to run the command on
enter nosuch                       => 20 App nosuch does not exist
enter fresh                        => App fresh has not been deployed
enter fresh web ls                 => App fresh has not been deployed
enter hello --container-id         => No container id specified.
enter hello --container-id= ls     => No container id specified.
enter --container-id "" hello      => No container id specified.
enter hello --nosuch               => Invalid flag --nosuch for enter, valid flags: --container-id
enter hello web ""                 => No command specified: the first word after the app is empty
enter hello web "a\x00"            => Invalid argument
`

// TestFlagsOfTheCommand: what follows the app is not looked at. There is no engine
// here, which is as far as a right command line gets.
func TestFlagsOfTheCommand(t *testing.T) {
	f := newFixture(t)
	before := f.snapshot()
	for _, line := range []string{
		"run hello ls -la", "run hello ls --no-tty --force-tty", "run hello --help", "run hello ls -- -e A", "run hello -e A",
		"--app hello run ls --env x", "run --no-tty -e A=1 --env=B=2 -e=C=,x --ttl-seconds 5 hello ls --ttl-seconds x",
		"run stopped ls", "run:detached --force-tty hello web -x", "run:list hello", "run:logs --container hello.run.1",
		"run:stop hello", "enter hello web ls -la", "enter hello worker.2 --container-id", "enter hello --container-id abc ls -x",
		"enter --container-id abc hello ls -x",
	} {
		got := f.run(strings.Fields(line)...)
		if got.code != 1 || !strings.Contains(got.stderr, "cannot reach the Docker Engine") || got.stdout != "" {
			t.Errorf("dokku %s: %+v", line, got)
		}
	}
	if after := f.snapshot(); after != before {
		t.Errorf("the state has changed:\n%s\nbefore:\n%s", after, before)
	}
}
