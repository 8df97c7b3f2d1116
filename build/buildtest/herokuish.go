package buildtest

import (
	"maps"
	"testing"

	"github.com/docker/docker/client"
)

// Herokuish makes an image of the shape of gliderlabs/herokuish 0.11: /build, /start and
// /exec follow its scripts in what they read and write, step by step. It has one
// buildpack, "Shell", for revisions with a file main.sh:
//
//   - it prints "cache: N" for the N-th build with one cache, and the environment of the
//     build if there is a file show-env
//   - it fails with exit code 3 if there is a file broken, and runs the file slow, if there
//     is one
//   - its default process type is web: sh main.sh
//
// more are further files of the image.
func Herokuish(t testing.TB, cli *client.Client, more Files) (id string) {
	files := Files{
		"etc/passwd":   "root:x:0:0::/:/bin/sh\nherokuishuser:x:32767:32767::/app:/bin/sh\n",
		"etc/group":    "root:x:0:\nherokuishuser:x:32767:\n",
		"100755 build": herokuishBuild,
		"100755 start": herokuishStart,
		"100755 exec":  herokuishExec,
		"100755 tmp/buildpacks/00_buildpack-shell/bin/detect":  "#!/bin/sh\n[ -f \"$1/main.sh\" ] && echo Shell\n",
		"100755 tmp/buildpacks/00_buildpack-shell/bin/compile": herokuishCompile,
		"100755 tmp/buildpacks/00_buildpack-shell/bin/release": "#!/bin/sh\nprintf -- '---\\ndefault_process_types:\\n  web: sh main.sh\\n'\n",
	}
	maps.Copy(files, more)
	return BaseImage(t, cli, files, `CMD ["/bin/sh"]`, "ENV STACK=heroku-24")
}

// herokuishBuild is buildpack-build of include/buildpack.bash, without the parts that need
// Debian.
const herokuishBuild = `#!/bin/sh
set -e
: "${CACHE_PATH:=/tmp/cache}"
title() { printf '\033[1G       \033[1G-----> %s\n' "$*"; } # title, and then indent
own() { find "$1" '(' ! -user "$USER" -o ! -group "$USER" ')' -exec chown -h "$USER:$USER" {} +; }
unprivileged() { su -s /bin/sh "$USER" -c '"$0" "$@"' "$@"; }
mkdir -p /app /tmp/env /tmp/build "$CACHE_PATH"
if [ -n "$(ls -A /tmp/app)" ]; then rm -rf /app; cp -r /tmp/app /app; fi
cp -r /app/. /tmp/build
for dir in /app /tmp/build "$CACHE_PATH" /tmp/env /tmp/buildpacks; do own "$dir"; done
export CURL_CONNECT_TIMEOUT=30 CURL_TIMEOUT=180
if [ -f /app/.env ]; then
	eval $(while read -r line || [ -n "$line" ]; do
		case $line in '#'*|'') continue ;; esac
		value=${line#*=}
		case $value in \'*|\"*) ;; *) value=\"$value\" ;; esac
		echo "export ${line%%=*}=$value"
	done </app/.env)
fi
if [ -z "$BUILDPACK_URL" ] && [ -f /tmp/build/.buildpacks ]; then BUILDPACK_URL=$(grep -v '^#' /tmp/build/.buildpacks | head -n 1); fi
if [ -n "$BUILDPACK_URL" ]; then
	title "Fetching custom buildpack $BUILDPACK_URL"
	selected=$BUILDPACK_URL
	if [ ! -d "$selected" ]; then
		title "Unable to fetch custom buildpack from $BUILDPACK_URL"
		exit 1
	fi
	name=$(unprivileged "$selected/bin/detect" /tmp/build || true)
else
	for selected in /tmp/buildpacks/*; do
		name=$(unprivileged "$selected/bin/detect" /tmp/build || true)
		[ -z "$name" ] || break
	done
fi
if [ -z "$name" ]; then
	title "Unable to select a buildpack"
	exit 1
fi
title "$name app detected"
cd /tmp/build
unprivileged "$selected/bin/compile" /tmp/build "$CACHE_PATH" /tmp/env
unprivileged "$selected/bin/release" /tmp/build "$CACHE_PATH" >/tmp/build/.release
rm -rf /app/* /app/.[!.]*
mv /tmp/build/* /tmp/build/.[!.]* /app
title "Discovering process types"
if [ -f /app/Procfile ]; then
	printf '\033[1G       Procfile declares types -> %s\n' "$(cut -d: -f1 /app/Procfile | tr '\n' ' ')"
else
	sed -n 's/^  \([a-z]*\): /\1: /p' /app/.release >/app/Procfile
fi
`

const herokuishCompile = `#!/bin/sh
echo x >>"$2/builds"
printf '\033[1G       cache: %s\n' "$(wc -l <"$2/builds")"
mkdir -p "$1/.profile.d"
echo 'export FROM_PROFILE=yes' >"$1/.profile.d/shell.sh"
if [ -f "$1/show-env" ]; then
	echo "ENV_DIR: $(cd "$3" && for f in *; do printf '%s=%s ' "$f" "$(cat "$f")"; done)"
	echo "exported: $GREETING, CURL_TIMEOUT $CURL_TIMEOUT, $(id -u)"
	echo "all of it: $PLAN"
fi
if [ -f "$1/slow" ]; then . "$1/slow"; fi
if [ -f "$1/broken" ]; then echo "main.sh:1: syntax error"; exit 3; fi
echo built >"$1/built"
`

// herokuishStart and herokuishExec are those of include/procfile.bash.
const (
	herokuishProfile = `cd /app
HOME=/app
export HOME
for f in .profile.d/*.sh; do [ ! -f "$f" ] || . "./$f"; done
`
	herokuishStart = "#!/bin/sh\n" + `command=$(sed -n "s/^$1: *//p" /app/Procfile)
if [ -z "$command" ]; then
	echo "Proc entrypoint $1 does not exist. Please check your Procfile"
	exit 1
fi
` + herokuishProfile + `exec $(eval echo "$command")
`
	herokuishExec = "#!/bin/sh\n" + herokuishProfile + `exec $(eval echo "$@")
`
)
