package app

import (
	"slices"
	"strings"

	"dokku/build"
)

// Program is what a container of a release's image runs.
type Program struct {
	// Entrypoint nil is the image's own.
	Entrypoint []string
	Command    []string
}

// TakesWords reports whether further words of a command line may follow the Command.
func (p Program) TakesWords() bool { return p.Entrypoint != nil && p.Command == nil }

// Argv returns the whole command of a program without the image's own ENTRYPOINT.
func (p Program) Argv() []string { return slices.Concat(p.Entrypoint, p.Command) }

// Where an image of Cloud Native Buildpacks has its launcher, and the launcher under the
// names of its process types. Both are of the buildpacks' platform specification.
const (
	cnbLauncher  = "/cnb/lifecycle/launcher"
	cnbProcesses = "/cnb/process/"
)

// Start returns what the release's image starts for a process type of its Procfile; ok is
// false if the image leaves that to the Procfile's command. herokuish's reads the Procfile
// by itself and sets the buildpacks' environment up. So does the launcher of an image of
// Cloud Native Buildpacks, which takes the whole command and hands it to bash.
func (r *Release) Start(typ string) (p Program, ok bool) {
	declared, found := r.Control.Procfile.Lookup(typ)
	switch {
	case !found:
	case r.Builder == build.Herokuish:
		return Program{Command: []string{"/start", typ}}, true
	case r.Builder == build.Pack && definedByImage(declared.Command):
		return Program{Entrypoint: []string{declared.Command}}, true
	case r.Builder == build.Pack:
		return Program{Entrypoint: []string{cnbLauncher}, Command: []string{declared.Command}}, true
	}
	return Program{}, false
}

// definedByImage reports whether a command is a process type of the image itself.
func definedByImage(command string) bool {
	return strings.HasPrefix(command, cnbProcesses) && strings.Trim(command, plain) == ""
}

// Exec returns a command as the release's image runs it beside its processes: with the
// environment that buildpacks set up. Most images need nothing for that.
//
// The launcher of an image of Cloud Native Buildpacks gets the words after "--". Without
// it, and as in Dokku, a shell would evaluate them once more.
//
// herokuish's /exec evaluates its words once more, as in Dokku: quotes get lost, and
// "a b" becomes two words. So words that a shell would change are run as /exec does, but
// with their quotes.
func (r *Release) Exec(argv []string) Program {
	if len(argv) == 0 {
		return Program{}
	}
	switch r.Builder {
	case build.Pack:
		return Program{Entrypoint: []string{cnbLauncher}, Command: append([]string{"--"}, argv...)}
	case build.Herokuish:
		return Program{Command: herokuishExec(argv)}
	}
	return Program{Command: argv}
}

func herokuishExec(argv []string) []string {
	for _, word := range argv {
		if word == "" || strings.Trim(word, plain) != "" {
			return append([]string{"/bin/sh", "-c", `exec "$(command -v bash || command -v sh)" -c "$@"`, "sh", profile, "sh"}, argv...)
		}
	}
	return append([]string{"/exec"}, argv...)
}

// plain are the characters that mean nothing to a shell.
const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:=@%,"

// profile is what herokuish does before it runs a command.
const profile = `export HOME=/app
cd /app
for dokku_file in /etc/profile.d/*.sh /app/.profile.d/*.sh /app/.profile; do
	[ ! -s "$dokku_file" ] || . "$dokku_file"
done
unset dokku_file
exec "$@"`
