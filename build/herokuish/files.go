package herokuish

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"dokku/build"
)

// Folders of the container. See the package comment.
const (
	dirSource = "/tmp/app"
	dirEnv    = "/tmp/env"
	dirCache  = "/tmp/cache"
	dirScript = "/tmp/dokku"
	dirApp    = "/app"
)

// The files in dirScript.
const (
	scriptBuild  = "build"
	scriptExport = "export"
	// scriptEnv is the repository's own .env, which the slug gets back.
	scriptEnv = "env"
)

// folder is the content of files by name.
type folder map[string]string

// write adds the files to an archive.
func (f folder) write(w *tar.Writer, at time.Time) error {
	for _, name := range slices.Sorted(maps.Keys(f)) {
		h := &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(f[name])), ModTime: at}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.WriteString(w, f[name]); err != nil {
			return err
		}
	}
	return nil
}

// files are what the container gets beside the revision.
type files struct {
	source folder // over the revision's own
	env    folder
	script folder
}

// newFiles makes the files of a build.
func newFiles(r build.Request, user string) (files, error) {
	if !validUser(user) {
		return files{}, fmt.Errorf("cannot use %s=%q: it is not a user's name; to correct it: dokku config:set %[3]s %[1]s=%[4]s, or dokku config:unset %[3]s %[1]s",
			varUser, user, r.App, defaultUser)
	}
	f := files{source: folder{}, env: folder{}, script: folder{scriptBuild: script(user), scriptExport: exports(r, user)}}
	for key, value := range r.Env {
		f.env[key] = value
	}
	if len(r.Buildpacks) > 0 {
		f.source[fileBuildpacks] = strings.Join(r.Buildpacks, "\n") + "\n"
	}
	if r.Procfile != nil {
		f.source["Procfile"] = string(r.Procfile)
	}
	own, ok, err := r.Source.Read(r.Commit, fileEnv, maxFile)
	if err != nil {
		return f, err
	}
	if ok {
		f.script[scriptEnv] = string(own)
	}
	f.source[fileEnv] = dotEnv(string(own), variables(r))
	return f, nil
}

// curl are the variables that herokuish sets to less than Dokku does.
var curl = map[string]string{"CURL_CONNECT_TIMEOUT": "90", "CURL_TIMEOUT": "600"}

// variables are the app's and those of Dokku's.
func variables(r build.Request) map[string]string {
	all := maps.Clone(curl)
	maps.Copy(all, r.Env)
	return all
}

// exports is a shell script that sets the environment of /build.
func exports(r build.Request, user string) string {
	all := variables(r)
	all["USER"], all["CACHE_PATH"] = user, dirCache
	all["GIT_REV"], all["SOURCE_VERSION"] = r.Commit.Hash, r.Commit.Hash
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(&b, "export %s=%s\n", key, quote(all[key]))
	}
	return b.String()
}

// dotEnv adds variables to a repository's .env, which herokuish evaluates. A value that
// would not survive that is left out: it is exported.
func dotEnv(own string, env map[string]string) string {
	var b strings.Builder
	b.WriteString(own)
	if own != "" && !strings.HasSuffix(own, "\n") {
		b.WriteString("\n")
	}
	for _, key := range slices.Sorted(maps.Keys(env)) {
		if value := env[key]; value == strings.Join(strings.Fields(value), " ") && !strings.ContainsAny(value, `*?[\`) {
			fmt.Fprintf(&b, "%s=%s\n", key, quote(value))
		}
	}
	return b.String()
}

// quote quotes a word for a POSIX shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// script runs /build, puts the repository's .env back, and gives all of the slug to the
// app's user, as Dokku does: /start does not, which is quicker.
func script(user string) string {
	return `user=` + quote(user) + `
if ! id "$user" >/dev/null 2>&1; then
	echo ` + quote(noUser) + `
	exit 1
fi
. ` + dirScript + `/` + scriptExport + `
/build || exit
cd ` + dirApp + ` || exit
if [ -f ` + dirScript + `/` + scriptEnv + ` ]; then
	cat ` + dirScript + `/` + scriptEnv + ` >.env
else
	rm -f .env
fi
find . '(' ! -user "$user" -o ! -group "$user" ')' -exec chown -h "$user:$user" {} +
`
}
