#!/bin/sh
# Sets up a plain Debian or Ubuntu server so that "git push" deploys to it.
# Run it as often as you like: each step checks the present state first, and a
# file is written beside its target and renamed. The next run completes an
# interrupted one.
set -eu

OWNER=dokku   # the user of HOME_DIR, and of all below it
SERVICE=dokku-agent
BIN=/usr/local/bin/dokku
ALIAS=/usr/bin/dokku   # where scripts and clients of Dokku look
LIB=/usr/local/lib/dokku   # writable for root only: sudo runs files in it
BUILDER=dokku-builder   # the service of the server's own builder
FIREWALL=dokku-firewall   # the service that keeps containers from the server's ports
FIREWALL_UNIT=/etc/systemd/system/$FIREWALL.service
FIREWALL_INIT=/etc/init.d/$FIREWALL
CGROUPS=dokku-git   # the service whose cgroups are those of pushes and clones
CGROUPS_UNIT=/etc/systemd/system/$CGROUPS.service
HOME_DIR=/home/dokku
DATA=/var/lib/dokku/data/storage   # folders that apps mount: storage:ensure-directory
NGINX_FILES=/var/lib/dokku/data/nginx-files   # what nginx's workers read: maintenance pages, lists of users
CONF=/etc/nginx/conf.d/dokku.conf
LIMITS=/etc/systemd/system/nginx.service.d/dokku.conf
NGINX_MAIN=/etc/nginx/nginx.conf
NGINX_LIMIT=/etc/nginx/modules-enabled/99-dokku.conf
CONNECTIONS=8192   # of each nginx worker; a request takes two
SUDOERS=/etc/sudoers.d/dokku
UNIT=/etc/systemd/system/$SERVICE.service
INIT=/etc/init.d/$SERVICE
ROTATE=/etc/logrotate.d/dokku
SOCKET=/var/run/docker.sock
DAEMON=/etc/docker/daemon.json
CACHE=/var/cache/dokku
DEMO=/var/lib/dokku-demo
LOG=/var/log/dokku-install.log
HTTP_PORT=80
HTTPS_PORT=443
SRC=$(cd "$(dirname "$0")" && pwd)

# su without "-" omits sbin, and sudo omits the folder that Go recommends.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin
HOME=${HOME:-/root}
export PATH HOME LC_ALL=C DEBIAN_FRONTEND=noninteractive
umask 022
BESIDE=
COMMAND=$BIN

# beside makes all names differ from those of Dokku, for a try on a server that runs it.
# Both share nginx, sshd and the engine. Nothing of Dokku's is written.
beside() {
  BESIDE=1
  OWNER=dokku-beside
  SERVICE=dokku-beside-agent
  LIB=/usr/local/lib/dokku-beside
  BUILDER=dokku-beside-builder
  FIREWALL=dokku-beside-firewall
  FIREWALL_UNIT=/etc/systemd/system/$FIREWALL.service
  FIREWALL_INIT=/etc/init.d/$FIREWALL
  CGROUPS=dokku-beside-git
  CGROUPS_UNIT=/etc/systemd/system/$CGROUPS.service
  BIN=$LIB/dokku
  ALIAS=   # dokku is Dokku's command
  COMMAND=/usr/local/bin/dokku-beside
  HOME_DIR=/home/dokku-beside
  DATA=/var/lib/dokku-beside/storage
  NGINX_FILES=/var/lib/dokku-beside/nginx-files
  CONF=/etc/nginx/conf.d/dokku-beside.conf
  LIMITS=/etc/systemd/system/nginx.service.d/dokku-beside.conf
  SUDOERS=/etc/sudoers.d/dokku-beside
  UNIT=/etc/systemd/system/$SERVICE.service
  INIT=/etc/init.d/$SERVICE
  ROTATE=/etc/logrotate.d/dokku-beside
  CACHE=/var/cache/dokku-beside
  DEMO=/var/lib/dokku-beside/demo
  LOG=/var/log/dokku-beside-install.log
  HTTP_PORT=8080
  HTTPS_PORT=8443
}

changed=   # the files that this run wrote

usage() {
  cat <<'EOF'
Usage: sudo ./install.sh COMMAND

  install            set up this server so that git push deploys to it;
                     --beside-dokku: on a server that runs Dokku, without
                     touching that: as dokku-beside, at the ports 8080 and
                     8443 (--http-port N, --https-port N)
  front-door KEY     make this server serve visitors for another one: run the
                     line that dokku front-door:add prints there
  builder            set up this server's own builder, beside the engine's, for
                     apps with build-isolation own; --remove removes it
  demo               install, then push a sample app and open it
  hooks REPO [APP]   make an existing bare repository deploy on push
                     (hooks --remove REPO undoes it)
  test               install everything that the tests need, then run them;
                     --engines [bookworm] [trixie]: only the engine's, on
                     that Debian's engine, or on both;
                     --booted [bookworm] [trixie]: a machine of that Debian,
                     in qemu, that is installed and loses its power
  uninstall          remove dokku and keep the apps; --purge removes them too,
                     but nothing that another DOKKU_ROOT or Dokku itself made;
                     --beside-dokku: what install --beside-dokku made
EOF
}

step() { printf '%s\n' "-----> $*"; }
say() { printf '%s\n' "       $*"; }
warn() { printf '%s\n' " !     $*" >&2; }
die() { warn "$*"; exit 1; }

# run TASK FIX COMMAND...: writes the command's output to the log, and its last
# lines to the screen if it fails. No child may inherit the lock (fd 9).
run() {
  task=$1 fix=$2
  shift 2
  printf '\n# %s\n' "$*" >>"$LOG"
  "$@" >>"$LOG" 2>&1 </dev/null 9<&- && return
  tail -n 12 "$LOG" | sed 's/^/       /' >&2
  die "cannot $task: $fix (the full output is in $LOG)"
}

# put MODE FILE: replaces FILE by standard input if they differ. Readers see the
# old file or the new one; none of them reads dot files.
put() {
  new=$(dirname "$2")/.$(basename "$2").new
  mkdir -p "$(dirname "$2")"
  (umask 077 && cat >"$new")
  chmod "$1" "$new"
  if cmp -s "$new" "$2"; then
    chmod "$1" "$2"
    rm -f "$new"
    return
  fi
  sync "$new"
  mv -f "$new" "$2"
  changed="$changed $2"
}

# as_user COMMAND...: runs it as OWNER, without the engine's group. Below HOME_DIR, the user may
# put a link to any file in the way: root neither reads nor writes there by itself.
as_user() (cd / && exec setpriv --reuid "$OWNER" --regid "$(id -g "$OWNER")" --clear-groups --no-new-privs "$@")

# put_own MODE FILE: put, below HOME_DIR.
# shellcheck disable=SC2016
put_own() { as_user sh -c 'umask 077 && cat >"$2.new" && chmod "$1" "$2.new" && sync "$2.new" && mv -fT "$2.new" "$2"' - "$@"; }

# own_folder MODE FOLDER: a folder of OWNER's in folders that only root can change.
own_folder() {
  parent=$(dirname "$2")
  mkdir -p "$parent"
  until [ "$parent" = / ]; do
    [ "$(stat -c %u "$parent")" = 0 ] || die "cannot use $2: $parent belongs to $(stat -c %U "$parent"), who could put a link in its place; see what is in it, then: chown root $parent"
    parent=$(dirname "$parent")
  done
  [ ! -L "$2" ] || die "cannot use $2: it is a link; put a folder in its place"
  install -d -m "$1" -o "$OWNER" -g "$OWNER" "$2"
}

is_changed() { case "$changed " in *" $1 "*) ;; *) return 1 ;; esac }

# wait_for SECONDS COMMAND...: waits until the command succeeds.
wait_for() {
  tries=$(($1 * 5))
  shift
  until "$@" >/dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.2
  done
}

listening() { grep -qs ":$(printf %04X "$1") [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6; }
dokku() { DOKKU_ROOT=$HOME_DIR "$BIN" "$@"; }
has() { command -v "$1" >/dev/null 2>&1; }
systemd_runs() { [ -d /run/systemd/system ]; }

# start NAME: starts a service of the distribution, now and at boot. The caller
# checks whether it serves: some init scripts fail without need.
start() {
  if systemd_runs; then
    run "start $1" "see: systemctl status $1" systemctl enable --now "$1"
  else
    service "$1" start >>"$LOG" 2>&1 </dev/null 9<&- || true
  fi
}

# ---- prerequisites -------------------------------------------------------

need_root() {
  [ "$(id -u)" = 0 ] || die "you must be root: run sudo ./install.sh $*"
}

# Two concurrent runs would write the same files. The lock ends with the process.
lock() {
  exec 9>/run/dokku-install.lock
  flock -w 5 9 || die "another ./install.sh is running on this server: wait until it ends"
}

check_system() {
  has apt-get || die "cannot install: this is not Debian or Ubuntu (no apt-get)"
  # shellcheck disable=SC1091
  distribution=$(. /etc/os-release && echo "$ID $VERSION_ID")
  case $distribution in
    debian\ [1-9] | debian\ 1[01] | ubuntu\ 1* | ubuntu\ 20.* | ubuntu\ 21.*)
      die "cannot install on $distribution: you need Debian 12, Ubuntu 22.04 or later" ;;
  esac
  case $(dpkg --print-architecture) in
    amd64 | arm64) ;;
    *) die "cannot install on $(dpkg --print-architecture): amd64 and arm64 are supported" ;;
  esac
  if [ -z "$BESIDE" ] && { installed dokku || [ -e /var/lib/dokku/core-plugins ] || [ -e /var/lib/dokku/plugins ]; }; then
    die "cannot install: Dokku is installed, and both use $HOME_DIR; use another server, or try it here with --beside-dokku"
  fi
}

installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

packages() {
  missing=
  for package; do
    installed "$package" || missing="$missing $package"
  done
  [ -n "$missing" ] || return 0
  step "Installing$missing"
  run "read the package lists" "check this server's network and /etc/apt/sources.list" apt_get update
  # shellcheck disable=SC2086
  apt_get install $missing >>"$LOG" 2>&1 </dev/null 9<&- && return
  # dpkg completes an interrupted installation only when asked to.
  run "configure packages" "fix the problem above, then run this again" dpkg --configure -a
  # shellcheck disable=SC2086
  run "install$missing" "fix the problem above, then run this again" apt_get install $missing
}

# Waits while another program, such as unattended-upgrades, holds dpkg's lock.
apt_get() {
  apt-get -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold "$@"
}

# Finds the Go that go.mod requires: an installed one, else a copy of our own.
find_go() {
  want=$(awk '$1 == "toolchain" { sub("go", "", $2); print $2; exit } $1 == "go" && !v { v = $2 } END { if (v) print v }' "$SRC/go.mod" | head -n 1)
  fetcher=
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$LIB/go/bin/go"; do
    [ -x "$candidate" ] || continue
    # Outside the module: an older Go cannot even read its go.mod.
    found=$(cd / && GOTOOLCHAIN=local "$candidate" env GOVERSION) || continue
    fetcher=${fetcher:-$candidate}
    [ "$(printf '%s\n' "$want" "${found#go}" | sort -V | head -n 1)" = "$want" ] || continue
    use_go "$candidate"
    return
  done
  [ -n "$fetcher" ] || packages golang-go
  fetch_go "${fetcher:-go}"
  use_go "$LIB/go/bin/go"
}

# fetch_go OLD: any Go since 1.18 can fetch any other as a module, verified by the
# checksum database like every module.
fetch_go() {
  step "Fetching Go $want"
  module=golang.org/toolchain@v0.0.1-go$want.linux-$(dpkg --print-architecture)
  rm -rf "$LIB/fetch" "$LIB/go"
  mkdir -p "$LIB/fetch/empty"
  (cd "$LIB/fetch/empty" && GOTOOLCHAIN=local GOMODCACHE=$LIB/fetch GOFLAGS=-modcacherw \
    run "fetch Go $want" "check this server's network, and GOPROXY if it is set" "$1" mod download "$module")
  # A module's files are never executable.
  chmod +x "$LIB/fetch/$module"/bin/* "$LIB/fetch/$module"/pkg/tool/*/*
  mv "$LIB/fetch/$module" "$LIB/go"
  rm -rf "$LIB/fetch"
}

# use_go GO: puts it first in PATH. Our own copy has its caches where uninstall
# removes them; an installed Go keeps its own caches.
use_go() {
  PATH=$(dirname "$1"):$PATH
  case $1 in
    "$LIB"/*) export GOMODCACHE="${GOMODCACHE:-$CACHE/mod}" GOCACHE="${GOCACHE:-$CACHE/build}" ;;
  esac
  # git may refuse to describe a checkout that another user owns.
  export GOTOOLCHAIN=local GOFLAGS="-buildvcs=false ${GOFLAGS:-}"
}

build() {
  version=$(git -C "$SRC" -c safe.directory="$SRC" describe --tags --always --dirty 2>/dev/null || echo unknown)
  step "Building dokku $version with $(go env GOVERSION) (the first build takes a few minutes)"
  (cd "$SRC" && CGO_ENABLED=0 run "build dokku" "see above" \
    go build -trimpath -ldflags "-s -w -X main.version=$version" -o "$LIB/dokku.new" .)
  put 0755 "$BIN" <"$LIB/dokku.new"
  rm -f "$LIB/dokku.new"
  if [ -n "$BESIDE" ]; then
    wrap
  else
    [ -e "$ALIAS" ] || ln -sfn "$BIN" "$ALIAS"
  fi
}

# wrap writes the command of an installation beside Dokku.
wrap() {
  put 0755 "$COMMAND" <<EOF
#!/bin/sh
# Written by install.sh --beside-dokku.
DOKKU_ROOT=$HOME_DIR DOKKU_REMOTE=${COMMAND##*/} exec $BIN "\$@"
EOF
}

# Apps without a Dockerfile are built with Cloud Native Buildpacks. Their lifecycle is a
# module of its own: its dependencies are none of dokku's.
build_lifecycle() {
  step "Building the lifecycle of Cloud Native Buildpacks (the first build takes a few minutes)"
  module=$SRC/build/pack/lifecycle
  version=$(awk '$2 == "github.com/buildpacks/lifecycle" { sub("^v", "", $3); print $3 }' "$module/go.mod")
  rm -rf "$LIB/lifecycle.new"
  (cd "$module" && CGO_ENABLED=0 run "build the lifecycle" "see above" \
    go build -trimpath -ldflags "-s -w -X github.com/buildpacks/lifecycle/cmd.Version=$version" -o "$LIB/lifecycle.new/" tool)
  put 0755 "$LIB/lifecycle/lifecycle" <"$LIB/lifecycle.new/lifecycle"
  put 0755 "$LIB/lifecycle/launcher" <"$LIB/lifecycle.new/launcher"
  rm -rf "$LIB/lifecycle.new"
}

# ---- builder -------------------------------------------------------------

# The server's own builder is BuildKit, a module of its own with the programs of CNI that make
# the network of its steps. A later install keeps it up to date.
builder_wanted() { [ -e "$LIB/buildkitd" ]; }

build_builder() {
  step "Building BuildKit (the first build takes some minutes)"
  module=$SRC/build/daemon/buildkitd
  version=$(awk '$1 == "github.com/moby/buildkit" { print $2 }
    $2 == "github.com/moby/buildkit" { print $3 }' "$module/go.mod" | head -n 1)
  rm -rf "$LIB/buildkitd.new"
  (cd "$module" && CGO_ENABLED=0 run "build BuildKit" "see above" \
    go build -trimpath -ldflags "-s -w -X github.com/moby/buildkit/version.Version=$version" -o "$LIB/buildkitd.new/" tool)
  for program in buildkitd host-local loopback ptp; do
    put 0755 "$LIB/buildkitd/$program" <"$LIB/buildkitd.new/$program"
  done
  rm -rf "$LIB/buildkitd.new"
}

builder_up() {
  packages iproute2 iptables
  has runc || packages runc # that of Docker's own packages has the same program
  build_builder
  if systemd_runs; then write_builder_unit; else write_builder_init; fi
  case $changed in
    *"$BIN"* | *"$LIB/buildkitd/"* | *"$BUILDER"*) builder_do restart ;;
    *) builder_do start ;;
  esac
  wait_for 60 [ -S "/run/$BUILDER/buildkitd.sock" ] ||
    die "the builder does not start: see journalctl -u $BUILDER, or /var/log/$BUILDER.log"
  step "This server has a builder of its own. To use it: ${COMMAND##*/} builder:set APP|--global build-isolation own"
}

builder_do() {
  step "Starting the builder"
  if systemd_runs; then
    run "$1 the builder" "see: journalctl -u $BUILDER" systemctl "$1" "$BUILDER"
  else
    run "$1 the builder" "see: /var/log/$BUILDER.log" "/etc/init.d/$BUILDER" "$1"
  fi
}

# The builder makes cgroups and a network of its own, and limits itself.
write_builder_unit() {
  put 0644 "/etc/systemd/system/$BUILDER.service" <<EOF
[Unit]
Description=builder of dokku
After=network-online.target docker.service
Wants=network-online.target
StartLimitIntervalSec=0

[Service]
Environment=DOKKU_ROOT=$HOME_DIR
ExecStart=$BIN builder:daemon $BUILDER $LIB/buildkitd
Restart=always
RestartSec=2
TimeoutStopSec=30

[Install]
WantedBy=multi-user.target
EOF
  ! is_changed "/etc/systemd/system/$BUILDER.service" || run "load the builder's unit" "see: systemctl status" systemctl daemon-reload
  run "start the builder at boot" "see: systemctl status $BUILDER" systemctl -q enable "$BUILDER"
}

write_builder_init() {
  put 0755 "/etc/init.d/$BUILDER" <<EOF
#!/bin/sh
### BEGIN INIT INFO
# Provides:          $BUILDER
# Required-Start:    \$remote_fs \$network
# Required-Stop:     \$remote_fs \$network
# Should-Start:      docker
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: builder of dokku
### END INIT INFO
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
daemon="start-stop-daemon --oknodo --pidfile /run/$BUILDER.pid"
case "\${1:-}" in
  start) \$daemon --start --background --make-pidfile --chdir / \\
    --output /var/log/$BUILDER.log --startas "/etc/init.d/$BUILDER" -- respawn ;;
  stop) \$daemon --stop --retry TERM/30/KILL/5 --remove-pidfile ;;
  restart | force-reload) "\$0" stop && "\$0" start ;;
  status) \$daemon --status ;;
  respawn) # restarts the builder whenever it ends
    trap 'kill "\$child" 2>/dev/null; wait "\$child"; exit' TERM
    while :; do
      DOKKU_ROOT=$HOME_DIR $BIN builder:daemon $BUILDER $LIB/buildkitd &
      child=\$!
      wait "\$child"
      sleep 2
    done ;;
  *) echo "Usage: \$0 start|stop|restart|status" >&2; exit 2 ;;
esac
EOF
  run "start the builder at boot" "fix the problem above" update-rc.d "$BUILDER" defaults
}

# The daemon unmounts and unlinks all that it made but its files.
remove_builder() {
  if [ -e "/etc/systemd/system/$BUILDER.service" ]; then
    ! systemd_runs || systemctl -q disable --now "$BUILDER" >>"$LOG" 2>&1 || true
  elif [ -x "/etc/init.d/$BUILDER" ]; then
    "/etc/init.d/$BUILDER" stop >>"$LOG" 2>&1 || true
    update-rc.d -f "$BUILDER" remove >>"$LOG" 2>&1 || true
  fi
  rm -f "/etc/systemd/system/$BUILDER.service" "/etc/init.d/$BUILDER" "/run/$BUILDER.pid" "/var/log/$BUILDER.log"*
  rm -rf "$LIB/buildkitd" "/run/$BUILDER" "/var/lib/$BUILDER"
  rmdir /var/lib/cni 2>/dev/null || true
  ! systemd_runs || systemctl daemon-reload
}

builder() {
  case ${1:-} in
    '') ;;
    --remove)
      remove_builder
      step "The builder is removed. Apps with build-isolation own cannot be built until that is changed, or the builder is back"
      return ;;
    *) die "builder has no argument $1, only --remove" ;;
  esac
  [ -x "$BIN" ] && ! is_front_door || die "this server has no apps: first run ./install.sh install"
  find_go
  build
  agent_up
  builder_up
}

# Without it, each restart of the engine, as for an update, interrupts all apps. The
# engine reads the file when it starts for the first time.
live_restore() {
  [ -e "$DAEMON" ] || put 0644 "$DAEMON" <<'EOF'
{
  "live-restore": true
}
EOF
}

engine_answers() { curl -fsS -m 5 --noproxy '*' --unix-socket "$SOCKET" http://localhost/_ping; }

# safe_builder VERSION: the engine's builder keeps a build away from the host: that of Docker 24.0.9,
# 25.0.2 and later does (CVE-2024-23651, CVE-2024-23652, CVE-2024-23653). Debian 12 has 20.10.
safe_builder() {
  case $1 in
    [0-9].* | 1[0-9].* | 2[0-3].* | 24.0.[0-8] | 24.0.[0-8][!0-9]* | 25.0.[01] | 25.0.[01][!0-9]*) return 1 ;;
  esac
}

warn_of_builder() {
  version=$(curl -fsS -m 5 --noproxy '*' --unix-socket "$SOCKET" http://localhost/version | sed -n 's/.*"Version":"\([^"]*\)".*/\1/p')
  ! safe_builder "$version" || return 0
  [ ! -t 2 ] || printf '\033[31m' >&2
  warn "WARNING: who may push may be root on this server: the builder of Docker $version lets a"
  warn "Dockerfile read and change the host's files (CVE-2024-23651 to 23653)."
  warn "Before others push, install Docker 25.0.2 or later (https://docs.docker.com/engine/install/),"
  warn "or have another builder: sudo ./install.sh builder; dokku builder:set --global build-isolation own"
  [ ! -t 2 ] || printf '\033[0m' >&2
}

# Never changes an existing engine.
engine_up() {
  if ! has dockerd && ! engine_answers >/dev/null 2>&1; then
    live_restore
    # Without its parser the engine would silently skip AppArmor.
    case $(cat /sys/module/apparmor/parameters/enabled 2>/dev/null) in
      Y) packages docker.io apparmor ;;
      *) packages docker.io ;;
    esac
    # Since Debian 13, docker.io only recommends its client.
    has docker || packages docker-cli
  fi
  engine_answers >/dev/null 2>&1 && return
  step "Starting Docker"
  start docker
  if ! systemd_runs && ! wait_for 15 engine_answers; then
    # The init script fails where it may not raise its limits.
    start-stop-daemon --start --background --oknodo --pidfile /run/docker.pid --output /var/log/docker.log \
      --exec "$(command -v dockerd)" >>"$LOG" 2>&1 9<&- || true
  fi
  wait_for 60 engine_answers && return
  tail -n 5 /var/log/docker.log 2>/dev/null | sed 's/^/       /' >&2
  die "cannot reach Docker at $SOCKET: start it (systemctl start docker, or dockerd), then run this again"
}

# ---- install -------------------------------------------------------------

nginx_runs() {
  pid=$(cat /run/nginx.pid 2>/dev/null) && [ "$(cat "/proc/${pid:-0}/comm" 2>/dev/null)" = nginx ]
}

holder() { ss -Hltnp "sport = :$1" 2>/dev/null | sed -n 's/.*users:(("\([^"]*\).*/\1/p' | head -n 1; }

check_ports() {
  if [ -z "$BESIDE" ]; then
    if listening 80 && ! nginx_runs; then
      holder=$(holder 80)
      die "cannot use port 80: ${holder:-another program} listens there; stop it, then run this again"
    fi
    return
  fi
  [ ! -e "$CONF" ] || return 0 # nginx listens there for us
  for wanted in "$HTTP_PORT" "$HTTPS_PORT"; do
    if listening "$wanted"; then
      holder=$(holder "$wanted")
      die "cannot use port $wanted: ${holder:-another program} listens there; choose others with --http-port and --https-port"
    fi
  done
}

# choose_ports WORDS...: reads the flags of install --beside-dokku.
choose_ports() {
  while [ $# -gt 0 ]; do
    case $1 in
      --http-port | --https-port) ;;
      *) die "install --beside-dokku has no argument $1, only --http-port N and --https-port N" ;;
    esac
    case ${2:-} in
      '' | *[!0-9]* | 80 | 443 | ??????*) die "$1 ${2:-}: choose a port below 65536 that is neither 80 nor 443, which are Dokku's" ;;
    esac
    if [ "$1" = --http-port ]; then HTTP_PORT=$2; else HTTPS_PORT=$2; fi
    shift 2
  done
  [ "$HTTP_PORT" != "$HTTPS_PORT" ] || die "--http-port and --https-port have to differ"
}

# beside_settings writes the settings that keep out of Dokku's way: folders, ports and
# scripts of our own, and a prefix of the containers' names, since Dokku has APP.TYPE.N too.
# A later run keeps them.
beside_settings() {
  if as_user test -e "$HOME_DIR/.dokku/server.json"; then
    settings=$(as_user cat "$HOME_DIR/.dokku/server.json")
    HTTP_PORT=$(printf '%s\n' "$settings" | sed -n 's/^ *"port": *\([0-9]*\).*/\1/p')
    HTTPS_PORT=$(printf '%s\n' "$settings" | sed -n 's/^ *"tls_port": *\([0-9]*\).*/\1/p')
    return
  fi
  put_own 0600 "$HOME_DIR/.dokku/server.json" <<EOF
{
  "version": 1,
  "name_prefix": "beside.",
  "storage_root": "$DATA",
  "lifecycle": "$LIB/lifecycle",
  "builder": "/run/$BUILDER/buildkitd.sock",
  "cgroup": "$OWNER",
  "nginx": {
    "port": $HTTP_PORT,
    "tls_port": $HTTPS_PORT,
    "files_dir": "$NGINX_FILES",
    "check": ["sudo", "-n", "$LIB/nginx-check"],
    "reload": ["sudo", "-n", "$LIB/nginx-reload"]
  }
}
EOF
}

make_user() {
  if ! getent passwd "$OWNER" >/dev/null; then
    step "Adding the user $OWNER"
    run "add the user $OWNER" "fix the problem above" useradd --system --user-group --no-create-home \
      --home-dir "$HOME_DIR" --shell /bin/sh --comment "git push deploys" "$OWNER"
  fi
  home=$(getent passwd "$OWNER" | cut -d : -f 6)
  [ "$home" = "$HOME_DIR" ] || die "cannot use the user $OWNER: its home is $home and not $HOME_DIR; rename that user"
  # Neither "*" nor "!" matches any password, but sshd without PAM takes "!" for a
  # locked account.
  case $(getent shadow "$OWNER" | cut -d : -f 2) in
    '*') ;;
    *) run "lock the password of $OWNER" "fix the problem above" usermod -p '*' "$OWNER" ;;
  esac
  own_folder 0750 "$HOME_DIR"
  # shellcheck disable=SC2016
  run "make the folders of $OWNER" "they have to belong to it: chown -h $OWNER $HOME_DIR/.ssh $HOME_DIR/.dokku" \
    as_user sh -c 'mkdir -p -m 0700 "$@" && chmod 0700 "$@"' - "$HOME_DIR/.ssh" "$HOME_DIR/.dokku"
  # An app can leave a setuid program there, which no account of the server may run. A folder of
  # before keeps its mode: other programs may serve its files.
  own_folder "$(stat -c %a "$DATA" 2>/dev/null || echo 0750)" "$DATA"
  own_folder 0711 "$NGINX_FILES"
}

# Access to the engine's socket amounts to root access. The user dokku has it, so
# its keys never get a shell.
join_engine() {
  group=$(stat -L -c %G "$SOCKET")
  case $group in
    root | UNKNOWN) die "cannot let $OWNER use Docker: $SOCKET belongs to the group $group; make it the group docker, then run this again" ;;
  esac
  id -nG "$OWNER" | tr ' ' '\n' | grep -qx "$group" && return
  run "add $OWNER to the group $group" "fix the problem above" usermod -aG "$group" "$OWNER"
  changed="$changed $SOCKET"
}

# nginx:access-logs reads nginx's logs, which logrotate gives to the group adm.
join_logs() {
  getent group adm >/dev/null || return 0
  id -nG "$OWNER" | tr ' ' '\n' | grep -qx adm && return
  run "add $OWNER to the group adm" "fix the problem above" usermod -aG adm "$OWNER"
}

# printed NAME MODE FILE: writes a file that the binary contains.
printed() {
  text=$(dokku install:print "$1") || die "cannot write $3: $BIN does not print it; run this again from a complete checkout"
  put "$2" "$3" <<EOF
$text
EOF
}

# The user dokku may run only three scripts as root, without arguments. The agent calls that of the
# firewall each minute, which is nothing for the logs.
write_scripts() {
  printed "nginx-check${BESIDE:+-beside}" 0755 "$LIB/nginx-check"
  printed nginx-reload 0755 "$LIB/nginx-reload"
  printed "firewall${BESIDE:+-beside}" 0755 "$LIB/firewall"
  cat >"$LIB/sudoers.new" <<EOF
Defaults!$LIB/firewall !syslog, !pam_session
$OWNER ALL=(root) NOPASSWD: $LIB/nginx-check "", $LIB/nginx-reload "", $LIB/firewall ""
EOF
  # One bad file in sudoers.d would break sudo for everybody.
  run "check the sudo rule" "please report this" visudo -c -q -f "$LIB/sudoers.new"
  put 0440 "$SUDOERS" <"$LIB/sudoers.new"
  rm -f "$LIB/sudoers.new"
}

# Each app's logs are two open files of every worker; the usual limit is 1,024. The
# workers of a running nginx get the limit at its next reload, so it need not restart.
open_files() {
  if systemd_runs; then
    printf '# Written by dokku.\n[Service]\nLimitNOFILE=65536:524288\n' | put 0644 "$LIMITS"
    systemctl daemon-reload
  fi
  ! nginx_runs || prlimit --pid "$(cat /run/nginx.pid)" --nofile=65536: >>"$LOG" 2>&1 || true
}

# more_connections: Debian's nginx.conf gives a worker 768 connections, which one visitor can
# take. The number stands in a block that no other file may have. So the distribution's own
# number is replaced there, and one of an admin's stays; then doctor tells.
more_connections() {
  [ -z "$BESIDE" ] && [ -f "$NGINX_MAIN" ] && [ ! -L "$NGINX_MAIN" ] || return 0
  if grep -q '^include /etc/nginx/modules-enabled/' "$NGINX_MAIN" && [ ! -e "$NGINX_LIMIT" ] &&
    ! nginx -T 2>/dev/null | grep -q '^[[:space:]]*worker_rlimit_nofile'; then
    put 0644 "$NGINX_LIMIT" <<'EOF'
# Written by dokku: a connection is an open file, and so is each log of an app.
worker_rlimit_nofile 65536;
EOF
  fi
  ! many_connections "$NGINX_MAIN" | cmp -s - "$NGINX_MAIN" || return 0
  cp -p "$NGINX_MAIN" "$NGINX_MAIN.before-dokku"
  many_connections "$NGINX_MAIN.before-dokku" | put 0644 "$NGINX_MAIN"
  if ! nginx -t >>"$LOG" 2>&1; then
    put 0644 "$NGINX_MAIN" <"$NGINX_MAIN.before-dokku"
    return
  fi
  say "Each worker of nginx may have $CONNECTIONS connections; the file before is $NGINX_MAIN.before-dokku"
}

# many_connections FILE: prints it with our number in the place of the distribution's.
many_connections() {
  sed -E "s/^([[:space:]]*worker_connections[[:space:]]+)(512|768|1024);/\\1$CONNECTIONS;/" "$1"
}

# few_connections undoes more_connections. A file that somebody has changed since stays.
few_connections() {
  [ -z "$BESIDE" ] || return 0
  rm -f "$NGINX_LIMIT"
  [ -f "$NGINX_MAIN.before-dokku" ] || return 0
  if many_connections "$NGINX_MAIN.before-dokku" | cmp -s - "$NGINX_MAIN"; then
    put 0644 "$NGINX_MAIN" <"$NGINX_MAIN.before-dokku"
    rm -f "$NGINX_MAIN.before-dokku"
  fi
}

nginx_up() {
  step "Setting up nginx"
  new_conf=1
  [ ! -e "$CONF" ] || new_conf=
  printed "nginx-conf${BESIDE:+-beside}" 0644 "$CONF"
  # An admin's own timeout stays: nginx refuses a second one.
  if ! nginx -t >>"$LOG" 2>&1 && tail -n 3 "$LOG" | grep -q '"client_header_timeout" directive is duplicate'; then
    grep -v '^client_header_timeout' "$CONF" | put 0644 "$CONF"
  fi
  if ! nginx -t >>"$LOG" 2>&1; then
    tail -n 3 "$LOG" | sed 's/^/       /' >&2
    [ -z "$new_conf" ] || rm -f "$CONF"
    die "cannot use nginx: it rejects its configuration; fix the error above, then run this again"
  fi
  nginx -T 2>/dev/null | grep -q "configuration file $CONF" ||
    die "cannot use nginx: /etc/nginx/nginx.conf does not include /etc/nginx/conf.d/*.conf; add that line to its http block"
  more_connections
  open_files
  if nginx_runs; then
    ! is_changed "$CONF" && ! is_changed "$NGINX_MAIN" && ! is_changed "$NGINX_LIMIT" || run "reload nginx" "see: nginx -t" "$LIB/nginx-reload"
  else
    start nginx
    wait_for 10 nginx_runs || die "cannot start nginx: see /var/log/nginx/error.log"
    open_files
  fi
}

sshd_settings() { "$(command -v sshd)" -T -C user="$OWNER",host=localhost,addr=127.0.0.1; }

# ssh_at sets address and port, at which sshd answers on this host.
ssh_at() {
  port=$(sshd_settings | awk '$1 == "port" { print $2; exit }')
  address=$(sshd_settings | awk '$1 == "listenaddress" { sub(/:[0-9]+$/, "", $2); print $2; exit }')
  case $address in
    0.0.0.0 | '[::]' | '') address=127.0.0.1 ;;
  esac
}

# host_keys NAME: prints known_hosts for this server, from its key files.
host_keys() {
  sshd_settings | awk '$1 == "hostkey" { print $2 ".pub" }' | while read -r public; do
    [ ! -s "$public" ] || sed "s/^/$1 /" "$public"
  done
}

sshd_up() {
  mkdir -p /run/sshd
  run "make ssh host keys" "see above" ssh-keygen -A
  run "read sshd's settings" "fix /etc/ssh/sshd_config" sshd_settings
  settings=$(sshd_settings)
  ssh_at
  if ! listening "$port"; then
    step "Starting sshd"
    start ssh
    wait_for 10 listening "$port" || die "cannot start sshd on port $port: see: service ssh status"
  fi
  # Otherwise pushes fail with only "Permission denied (publickey)".
  for rule in allowusers allowgroups; do
    case $(printf '%s\n' "$settings" | grep "^$rule ") in
      '' | *" $OWNER"* | *" *"*) ;;
      *) warn "WARNING: sshd's $rule does not list $OWNER, so nobody can push: add it in /etc/ssh/sshd_config" ;;
    esac
  done
  case $settings in
    *"pubkeyauthentication no"*) warn "WARNING: sshd accepts no keys, so nobody can push: set PubkeyAuthentication yes in /etc/ssh/sshd_config" ;;
  esac
}

agent_runs() {
  if systemd_runs; then systemctl -q is-active "$SERVICE"; else "$INIT" status; fi
}

# The init system also reports an agent that ends and restarts again and again as
# running. An agent that works holds its lock.
agent_works() {
  agent_runs && lock=$(stat -c %i "$HOME_DIR/.dokku/locks/_agent") && grep -q "FLOCK .*:$lock " /proc/locks
}

agent_up() {
  put 0644 "$ROTATE" <<EOF
$HOME_DIR/.dokku/log/*.log {
  su $OWNER $OWNER
  weekly
  rotate 8
  compress
  missingok
  notifempty
}
/var/log/$SERVICE.log {
  weekly
  rotate 4
  missingok
  notifempty
  copytruncate
}
EOF
  if systemd_runs; then write_unit; else write_init; fi
  if agent_runs >/dev/null 2>&1; then
    if is_changed "$BIN" || is_changed "$UNIT" || is_changed "$INIT" || is_changed "$SOCKET"; then
      step "Restarting the agent"
      agent_do restart
    fi
  else
    step "Starting the agent"
    agent_do start
  fi
  wait_for 10 agent_works || die "the agent does not stay up: see journalctl -u $SERVICE, or /var/log/$SERVICE.log"
}

agent_do() {
  if systemd_runs; then
    run "$1 the agent" "see: journalctl -u $SERVICE" systemctl "$1" "$SERVICE"
  else
    run "$1 the agent" "see: /var/log/$SERVICE.log" "$INIT" "$1"
  fi
}

# No start limit: while Docker is down the agent may end again and again.
write_unit() {
  put 0644 "$UNIT" <<EOF
[Unit]
Description=dokku deploy agent
After=network.target docker.service nginx.service
Wants=docker.service nginx.service
StartLimitIntervalSec=0

[Service]
User=$OWNER
Environment=DOKKU_ROOT=$HOME_DIR
ExecStart=$BIN agent
Restart=always
RestartSec=2

[Install]
WantedBy=multi-user.target
EOF
  ! is_changed "$UNIT" || run "load the agent's unit" "see: systemctl status" systemctl daemon-reload
  run "start the agent at boot" "see: systemctl status $SERVICE" systemctl -q enable "$SERVICE"
}

write_init() {
  put 0755 "$INIT" <<EOF
#!/bin/sh
### BEGIN INIT INFO
# Provides:          $SERVICE
# Required-Start:    \$remote_fs \$network
# Required-Stop:     \$remote_fs \$network
# Should-Start:      docker nginx
# Should-Stop:       docker nginx
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: dokku deploy agent
### END INIT INFO
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
daemon="start-stop-daemon --oknodo --pidfile /run/$SERVICE.pid --user $OWNER"
case "\${1:-}" in
  start)
    $BIN cgroup:make $OWNER || true # doctor tells
    \$daemon --start --background --make-pidfile --chuid $OWNER --chdir / \\
      --output /var/log/$SERVICE.log --startas "$INIT" -- respawn ;;
  stop) \$daemon --stop --retry TERM/30/KILL/5 --remove-pidfile ;;
  restart | force-reload) "\$0" stop && "\$0" start ;;
  status)
    if \$daemon --status; then
      echo "$SERVICE is running"
    else
      code=\$?
      echo "$SERVICE is not running"
      exit \$code
    fi ;;
  respawn) # runs as $OWNER: restarts the agent whenever it ends
    trap 'kill "\$child" 2>/dev/null; wait "\$child"; exit' TERM
    while :; do
      HOME=$HOME_DIR DOKKU_ROOT=$HOME_DIR $BIN agent &
      child=\$!
      wait "\$child"
      sleep 2
    done ;;
  *) echo "Usage: \$0 start|stop|restart|status" >&2; exit 2 ;;
esac
EOF
  run "start the agent at boot" "fix the problem above" update-rc.d "$SERVICE" defaults
}

# ---- firewall ------------------------------------------------------------

# The rules of the last run have to be there before the first container. Those that load a whole
# firewall come before them.
firewall_up() {
  if systemd_runs; then
    put 0644 "$FIREWALL_UNIT" <<EOF
[Unit]
Description=firewall rules of dokku for the containers of apps
After=nftables.service ufw.service firewalld.service netfilter-persistent.service
Before=docker.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$BIN firewall:boot $OWNER

[Install]
WantedBy=multi-user.target
EOF
    ! is_changed "$FIREWALL_UNIT" || run "load the firewall's unit" "see: systemctl status" systemctl daemon-reload
    run "start the firewall at boot" "see: systemctl status $FIREWALL" systemctl -q enable "$FIREWALL"
  else
    put 0755 "$FIREWALL_INIT" <<EOF
#!/bin/sh
### BEGIN INIT INFO
# Provides:          $FIREWALL
# Required-Start:    \$remote_fs
# Required-Stop:
# Should-Start:      nftables ufw firewalld netfilter-persistent
# X-Start-Before:    docker
# Default-Start:     2 3 4 5
# Default-Stop:
# Short-Description: firewall rules of dokku for the containers of apps
### END INIT INFO
case "\${1:-}" in
  start | restart | force-reload) exec $BIN firewall:boot $OWNER ;;
  stop) ;;
  *) echo "Usage: \$0 start|restart" >&2; exit 2 ;;
esac
EOF
    run "start the firewall at boot" "fix the problem above" update-rc.d "$FIREWALL" defaults
  fi
  "$BIN" firewall:boot "$OWNER" >>"$LOG" 2>&1 </dev/null 9<&- ||
    warn "WARNING: the containers of apps reach all ports of this server: $(tail -n 1 "$LOG")"
}

remove_firewall() {
  [ ! -x "$BIN" ] || "$BIN" firewall:remove "$OWNER" >>"$LOG" 2>&1 || true
  if [ -e "$FIREWALL_UNIT" ]; then
    ! systemd_runs || systemctl -q disable "$FIREWALL" >>"$LOG" 2>&1 || true
  elif [ -x "$FIREWALL_INIT" ]; then
    update-rc.d -f "$FIREWALL" remove >>"$LOG" 2>&1 || true
  fi
  rm -f "$FIREWALL_UNIT" "$FIREWALL_INIT"
  rm -rf "/var/lib/$OWNER/firewall"
  rmdir "/var/lib/$OWNER" 2>/dev/null || true
}

# ---- cgroups -------------------------------------------------------------

# The gits of pushes and clones have cgroups below that of a service (version 2), or in folders
# that root makes for $OWNER at each boot (version 1). The service is not the agent's, whose
# restart would end what is pushed. Without systemd, the agent's init script makes the folders.
cgroups_up() {
  if ! systemd_runs; then
    "$BIN" cgroup:make "$OWNER" >>"$LOG" 2>&1 </dev/null 9<&- || true # doctor tells
    return
  fi
  put 0644 "$CGROUPS_UNIT" <<EOF
[Unit]
Description=cgroups of dokku for pushes and clones
Before=ssh.service
StartLimitIntervalSec=0

[Service]
User=$OWNER
ExecStartPre=-+$BIN cgroup:make $OWNER
ExecStart=$BIN cgroup:keep $OWNER
Delegate=cpu memory pids
CPUWeight=50
OOMPolicy=continue
Restart=always
RestartSec=10

[Install]
WantedBy=multi-user.target
EOF
  ! is_changed "$CGROUPS_UNIT" || run "load the unit $CGROUPS" "see: systemctl status" systemctl daemon-reload
  systemctl -q enable --now "$CGROUPS" >>"$LOG" 2>&1 </dev/null 9<&- ||
    warn "WARNING: pushes and clones have no cgroup of their own: see: systemctl status $CGROUPS"
}

remove_cgroups() {
  if [ -e "$CGROUPS_UNIT" ]; then
    ! systemd_runs || systemctl -q disable --now "$CGROUPS" >>"$LOG" 2>&1 || true
    rm -f "$CGROUPS_UNIT"
  fi
  [ ! -x "$BIN" ] || "$BIN" cgroup:remove "$OWNER" >>"$LOG" 2>&1 || true
}

# ---- front door ----------------------------------------------------------

is_front_door() { [ -e "$LIB/front-door" ]; }

# front_door KEY: nginx, sshd and the program, and a key that may send routes and
# certificates to nginx. No agent, no engine and no repositories.
front_door() {
  if { [ -e "$UNIT" ] || [ -e "$INIT" ]; } && ! is_front_door; then
    die "this server has apps of its own: make another one the front door, or run ./install.sh uninstall first"
  fi
  case ${1:-} in
    'ssh-ed25519 '*) ;;
    *) die "give the line that dokku front-door:add prints on the other server: front-door 'ssh-ed25519 AAAA...'" ;;
  esac
  check_system
  check_ports
  packages ca-certificates nginx openssh-client openssh-server sudo util-linux
  # shellcheck disable=SC2086 # the words of a key: its type, the key, a comment
  set -- $1
  key="$1 ${2:-}"
  printf '%s\n' "$key" | ssh-keygen -l -f - >>"$LOG" 2>&1 || die "this is no ssh key: $key"
  find_go
  mkdir -p "$LIB"
  build
  make_user
  join_logs
  write_scripts
  nginx_up
  sshd_up
  put 0644 "$LIB/front-door" <<EOF
$key
EOF
  {
    other_keys
    printf 'restrict,command="DOKKU_ROOT=%s %s front-door:serve" %s front-door\n' "$HOME_DIR" "$BIN" "$key"
  } | put_keys
  step "This server is a front door now ($(dokku version 2>/dev/null | tail -n 1))"
  say "On the other server: dokku front-door:enable NAME"
  say "To make it a whole server later, if the other one is lost: sudo ./install.sh install, then dokku restore"
}

# other_keys prints the keys of the user but that of the server whose front door this is.
other_keys() { as_user grep -sv 'front-door:serve"' "$HOME_DIR/.ssh/authorized_keys" || true; }

put_keys() { put_own 0600 "$HOME_DIR/.ssh/authorized_keys"; }

# promote makes a front door a server of its own: the other one no longer sends routes.
# What nginx serves stays until the apps are restored.
promote() {
  is_front_door || return 0
  step "This server was a front door: the other one can no longer change its routes"
  other_keys | put_keys
  rm -f "$LIB/front-door"
}

install_all() {
  check_system
  check_ports
  packages ca-certificates curl git nginx nftables openssh-server sudo util-linux
  ! systemd_runs || packages dbus # by which systemd is told of a push
  find_go
  mkdir -p "$LIB"
  build
  build_lifecycle
  engine_up
  make_user
  [ -z "$BESIDE" ] || beside_settings
  join_engine
  join_logs
  write_scripts
  nginx_up
  sshd_up
  promote
  firewall_up
  cgroups_up
  dokku install:changes || true # if it fails, the agent tells
  agent_up
  ! builder_wanted || builder_up
  warn_of_builder
  step "dokku is installed: git push deploys to this server ($(dokku version 2>/dev/null | tail -n 1))"
}

next_steps() {
  # The address that other machines see. This sends no packet.
  called=$(basename "$COMMAND")
  address=$(ip -4 route get 192.0.2.1 2>/dev/null | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  say "Add a key:     $called ssh-keys:add admin < id_ed25519.pub"
  for keys in "$(getent passwd "${SUDO_USER:-root}" | cut -d : -f 6)/.ssh/authorized_keys" /root/.ssh/authorized_keys; do
    line=$(grep -sn -m 1 '^\(ssh-\|ecdsa-\|sk-\)' "$keys" | cut -d : -f 1) || continue
    [ -n "$line" ] || continue
    say "  or yours:    sed -n ${line}p $keys | $called ssh-keys:add admin"
    break
  done
  say "Set a domain:  $called domains:set-global example.com"
  say "Deploy an app: git remote add $called $OWNER@${address:-this-server}:APP && git push $called main"
  [ -z "$BESIDE" ] || say "Apps answer at port $HTTP_PORT, and with a certificate at $HTTPS_PORT; those of Dokku as before"
}

# ---- demo ----------------------------------------------------------------

demo() {
  app=dokku-demo
  step "Pushing the sample app to dokku@localhost:$app"
  install -d -m 0700 "$DEMO"
  mkdir -p "$DEMO/app"
  demo_key
  demo_commit
  (cd "$DEMO/app" && git push dokku main) || die "the demo's push was rejected: see the reason above"
  demo_open
}

demo_key() {
  if [ ! -s "$DEMO/key" ] || [ ! -s "$DEMO/key.pub" ]; then
    rm -f "$DEMO/key" "$DEMO/key.pub"
    run "make the demo's key" "see above" ssh-keygen -q -t ed25519 -N '' -C dokku-demo -f "$DEMO/key"
  fi
  host_keys dokku-demo >"$DEMO/known_hosts"
  dokku ssh-keys:remove dokku-demo >>"$LOG" 2>&1 || true
  dokku ssh-keys:add dokku-demo <"$DEMO/key.pub" >>"$LOG" 2>&1 || die "cannot add the demo's key: $(tail -n 1 "$LOG")"
}

# Each run commits a new greeting, so that each push has a change to deploy.
demo_commit() {
  cp "$SRC"/testdata/app/* "$DEMO/app/"
  (cd "$SRC" && CGO_ENABLED=0 run "build the sample app" "see above" \
    go build -trimpath -ldflags '-s -w' -o "$DEMO/app/app" ./testdata/app)
  greeting="Hello from your own server! ($(date '+%F %T'))"
  printf '%s\n' "$greeting" >"$DEMO/app/greeting.txt"
  (
    cd "$DEMO/app"
    [ -e .git/HEAD ] || git init -q -b main
    git config user.name dokku-demo
    git config user.email dokku-demo@localhost
    git config commit.gpgSign false
    # "git push dokku main" then also works by hand there.
    git config core.sshCommand "ssh -F /dev/null -i $DEMO/key -p $port -o IdentitiesOnly=yes -o BatchMode=yes \
-o HostName=$address -o HostKeyAlias=dokku-demo -o UserKnownHostsFile=$DEMO/known_hosts"
    git config remote.dokku.url "dokku@localhost:$app"
    git add -A
    git commit -q -m "Change the greeting"
  )
}

# Sends the request through nginx under the app's own name, with or without DNS.
demo_open() {
  url=$(dokku urls "$app" | head -n 1)
  host=${url#*://}
  host=${host%%/*}
  case $host in
    *:*) at=$host ;;
    *) at=$host:80 ;;
  esac
  step "Opening $url"
  answer=$(curl -fsS -m 10 --noproxy '*' --resolve "$at:127.0.0.1" "$url") || die "the demo's app does not answer at $url: see: dokku logs $app"
  printf '%s\n' "$answer" | sed 's/^/       /'
  case $answer in
    *"$greeting"*) ;;
    *) die "the demo's app answers at $url, but not with the pushed version: see: dokku ps:report $app" ;;
  esac
  printf '%s\n' "=====> The push is live: $url"
  say "Now change a file in $DEMO/app, commit it, and run: git push dokku main"
  say "Remove it with: dokku apps:destroy --force $app"
}

# ---- hooks ---------------------------------------------------------------

# All changes to the repository are made as its owner, below its folder dokku. Its
# own hooks stay unchanged: core.hooksPath names dokku/hooks, whose hooks call
# them. A program that rewrites the repository's hooks (Gitea does) therefore
# removes nothing of ours. The paths are relative, so the repository can move.
hooks() {
  [ $# -ge 1 ] || die "a repository is missing: ./install.sh hooks REPO [APP]"
  [ -x "$BIN" ] || die "dokku is not installed: first run ./install.sh install"
  open_repository "$1"
  app=${2:-$(basename "$repo" .git | tr '[:upper:]' '[:lower:]')}
  printf '%s\n' "$app" | grep -Eqx '[a-z0-9][a-z0-9.-]{0,62}' ||
    die "$app is no valid app name (a-z, 0-9, . and -): choose one with ./install.sh hooks $1 APP"
  ssh_at
  listening "$port" || die "sshd does not listen on port $port: run ./install.sh install again"

  # known_hosts has brackets around the address only if a port follows.
  host=${address#[}
  host=${host%]}
  [ "$port" = 22 ] || host="[$host]:$port"
  own=$(as_owner git config --type=path core.hooksPath || true)
  # shellcheck disable=SC2016
  as_owner sh -c 'umask 022 && mkdir -p dokku/hooks && { [ -s dokku/key ] && [ -s dokku/key.pub ] || {
    rm -f dokku/key dokku/key.pub && ssh-keygen -q -t ed25519 -N "" -C "$1" -f dokku/key; }; }' - "$(key_name)" ||
    die "cannot write to $repo as its owner $owner: see the reason above"
  host_keys "$host" | as_owner_put 644 dokku/key.known_hosts
  as_owner_put 755 dokku/hooks/pre-receive <"$SRC/hooks/foreign.sh"
  for hook in pre-receive.local update post-receive post-update proc-receive push-to-checkout reference-transaction pre-auto-gc; do
    as_owner_put 755 "dokku/hooks/$hook" <<'EOF'
#!/bin/sh
# Runs the repository's own hook of this name, if there is one.
own=$(git config --type=path dokku.hooksPath || echo hooks)/$(basename "$0" .local)
[ -x "$own" ] || exit 0
exec "$own" "$@"
EOF
  done
  allow_key
  as_owner git config dokku.url "ssh://dokku@$address:$port/$app"
  as_owner git config dokku.key dokku/key
  case $own in
    '' | dokku/hooks) ;;
    *) as_owner git config dokku.hooksPath "$own" ;;
  esac
  grep -sqxF "$repo" "$LIB/repositories" || printf '%s\n' "$repo" >>"$LIB/repositories"
  # From here on, a push deploys.
  as_owner git config core.hooksPath dokku/hooks
  [ "$(as_owner git rev-parse --git-path hooks)" = dokku/hooks ] ||
    die "git ignores $repo/dokku/hooks: another setting of $owner has precedence (git config --show-origin --get-all core.hooksPath)"
  step "A push to main or master of $repo now deploys to the app $app"
  say "Another branch: sudo -u $owner git -C $repo config dokku.branch NAME && dokku git:set $app deploy-branch NAME"
  say "Undo:           ./install.sh hooks --remove $repo"
}

open_repository() {
  repo=$(cd "$1" 2>/dev/null && pwd -P) || die "cannot open the repository $1: the folder does not exist"
  owner=$(stat -c %U "$repo")
  case $repo in
    "$HOME_DIR"/*) die "$repo is the repository of an app: a push to it deploys already" ;;
  esac
  [ "$(as_owner git rev-parse --is-bare-repository --git-dir 2>/dev/null | tr '\n' ' ')" = 'true . ' ] ||
    die "$repo is not a bare git repository of its owner $owner: create one with git init --bare"
  [ "$(as_owner git rev-parse --show-object-format)" = sha1 ] || die "cannot deploy from $repo: its objects are SHA-256, those of apps are SHA-1"
}

as_owner() (cd "$repo" && runuser -u "$owner" -- env HOME="$(getent passwd "$owner" | cut -d : -f 6)" "$@")

# as_owner_put MODE FILE: like put. Root never writes where others may put links.
# shellcheck disable=SC2016
as_owner_put() { as_owner sh -c 'cat >"$2.new" && chmod "$1" "$2.new" && mv -f "$2.new" "$2"' - "$@"; }

# key_name identifies the repository in the list of keys and in the logs.
key_name() {
  printf '%s@%s-%s' "$owner" "$(basename "$(dirname "$repo")")" "$(basename "$repo")" |
    tr -c 'A-Za-z0-9._@+-' - | sed 's/^[^A-Za-z0-9]*//' | cut -c 1-64
}

allow_key() {
  key=$(as_owner cat dokku/key.pub)
  fingerprint=$(printf '%s\n' "$key" | ssh-keygen -l -f - | awk '{ print $2 }')
  if dokku ssh-keys:list | grep -qF "$fingerprint NAME=\"$(key_name)\""; then
    dokku ssh-keys:set "$(key_name)" --role deployer --no-app --app "$app" >/dev/null || die "cannot limit the key of $repo to $app: see the reason above"
    return
  fi
  dokku ssh-keys:list | grep -qF "$fingerprint " && return # somebody added it by hand
  # A key of this name is left over from an earlier repository.
  dokku ssh-keys:remove "$(key_name)" >/dev/null 2>&1 || true
  printf '%s\n' "$key" | dokku ssh-keys:add "$(key_name)" --role deployer --app "$app" >/dev/null || die "cannot add the key of $repo: see the reason above"
}

unhook() {
  open_repository "$1"
  own=$(as_owner git config dokku.hooksPath || true)
  if [ -n "$own" ]; then
    as_owner git config core.hooksPath "$own"
  elif [ "$(as_owner git config --local core.hooksPath)" = dokku/hooks ]; then
    as_owner git config --local --unset core.hooksPath
  fi
  as_owner git config --local --remove-section dokku 2>/dev/null || true
  as_owner rm -rf dokku
  [ ! -x "$BIN" ] || dokku ssh-keys:remove "$(key_name)" >/dev/null 2>&1 || true
  if [ -e "$LIB/repositories" ]; then
    grep -vxF "$repo" "$LIB/repositories" | put 0644 "$LIB/repositories"
  fi
  step "A push to $repo no longer deploys"
}

# ---- test ----------------------------------------------------------------

# The tests start registries of their own. The package's service is not wanted.
registry() {
  has docker-registry && return
  packages docker-registry
  if systemd_runs; then
    systemctl disable --now docker-registry >>"$LOG" 2>&1 || true
  elif [ -x /etc/init.d/docker-registry ]; then
    service docker-registry stop >>"$LOG" 2>&1 </dev/null 9<&- || true
    update-rc.d docker-registry disable >>"$LOG" 2>&1 || true
  fi
}

# fuzz_targets prints the folder and the name of each fuzz target.
fuzz_targets() {
  grep -r --include='*_test.go' -o '^func Fuzz[A-Za-z0-9_]*' . | sed 's|/[^/]*_test\.go:func | |' | sort
}

# fuzz tries each target for a short time, as many at once as there are CPUs. What it finds stays
# below testdata/fuzz of the folder, and fails every later test. Before 1.27, go reports the end of
# this time as a failure now and then, without an input (golang/go#75804).
fuzz() {
  # shellcheck disable=SC2016 # the words are those of the shell for each target
  fuzz_targets | CGO_ENABLED=0 xargs -n 2 -P "$(nproc)" sh -c '
    go test -run "^\$" -fuzz "^$3\$" -fuzztime 10s -parallel 1 "$2" >"$1.$3" 2>&1 </dev/null; code=$?
    [ "$(sed -n "/^--- FAIL: $3 /{n;p}" "$1.$3")" != "    context deadline exceeded" ] || code=0
    [ "$code" = 0 ] && echo "$3 ($2)" || tail -n 30 "$1.$3" >&2
    rm -f "$1.$3"
    exit "$code"' fuzz "$LOG.fuzz"
}

test_all() {
  case ${1:-} in
    '') ;;
    --engines | --booted)
      for suite; do
        case $suite in
          --engines | --booted | bookworm | trixie) ;;
          *) die "$suite is not tested, only bookworm and trixie" ;;
        esac
      done ;;
    *) die "test has no argument $1, only --engines and --booted" ;;
  esac
  packages ca-certificates curl git iptables nginx nftables openssh-server sudo util-linux busybox-static iproute2 gcc libc6-dev debootstrap debian-archive-keyring openssh-client
  registry
  find_go
  engine_up
  has docker || packages docker-cli
  unset LC_ALL DEBIAN_FRONTEND
  cd "$SRC"
  case ${1:-} in
    --engines)
      shift
      exec .ci/engines "$@" ;;
    --booted)
      shift
      packages qemu-system-x86 qemu-utils e2fsprogs
      exec .ci/booted "$@" ;;
  esac
  step "gofmt, vet, staticcheck"
  for script in install.sh hooks/*.sh; do
    [ ! -e "$script" ] || sh -n "$script" || die "$script has a syntax error: see above"
  done
  for script in .ci/*; do
    bash -n "$script" || die "$script has a syntax error: see above"
  done
  unformatted=$(gofmt -l .) || die "gofmt failed: see above"
  [ -z "$unformatted" ] || die "not formatted: run gofmt -w $(echo "$unformatted" | tr '\n' ' ')"
  go vet ./... ./testdata/app ./testdata/load ./testdata/e2e/server || die "go vet failed: see above"
  go tool staticcheck ./... || die "staticcheck failed: see above"
  step "go test -race ./..."
  # The end-to-end tests measure times and use the whole machine, so they run alone.
  others=$(go list ./... | grep -v '/agent/e2e$')
  # Without -count=1, go hashes all files that the tests have opened, for minutes.
  CGO_ENABLED=1 go test -race -count=1 -timeout 60m ./agent/e2e || failed=yes
  # shellcheck disable=SC2086 # a list of packages
  CGO_ENABLED=1 go test -race -count=1 -timeout 40m $others || failed=yes
  step "fuzz targets, 10 s each"
  fuzz || failed=yes
  [ -z "${failed-}" ] || die "tests failed: see above"
  printf '%s\n' "=====> All tests passed"
}

# ---- uninstall -----------------------------------------------------------

# engine METHOD PATH [CURL OPTION...]: calls the engine's API. Its client may be missing.
engine() {
  method=$1 path=$2
  shift 2
  curl -fsS -m 60 --noproxy '*' --unix-socket "$SOCKET" -X "$method" "$@" "http://localhost$path"
}

# listed PATH FILTERS: prints the ids of the objects that match.
listed() {
  engine GET "$1" -G --data-urlencode "filters=$2" 2>>"$LOG" | grep -o '"I[dD]":"[^"]*"' | cut -d '"' -f 4 | sort -u
}

# removed KIND QUERY: removes the objects of a kind whose ids it reads.
removed() {
  while read -r id; do
    [ -n "$id" ] || continue
    engine DELETE "/$1/$id$2" >>"$LOG" 2>&1 || warn "cannot remove $1/$id: see $LOG"
  done
}

# attached NETWORK...: prints the ids of the containers with an app's label in them. A
# container that never started knows its network only by name.
attached() {
  for network; do
    name=$(engine GET "/networks/$network" 2>>"$LOG" | sed 's/^{"Name":"\([^"]*\)".*/\1/')
    listed '/containers/json?all=true' "{\"label\":[\"com.dokku.app-name\"],\"network\":[\"$network\",\"$name\"]}"
  done
}

# purge_engine: removes what this root made. The engine may serve other roots, and
# Dokku, whose objects have the same label of apps, and apps of the same names.
purge_engine() {
  root=$(as_user cat "$HOME_DIR/.dokku/id" 2>/dev/null || true)
  apps=$(for state in "$HOME_DIR"/*/dokku/state.json; do
    [ ! -e "$state" ] || basename "${state%/dokku/state.json}"
  done)
  # Networks carry the root. Those of earlier versions do not: then the app decides.
  ours=$([ -z "$root" ] || listed /networks "{\"label\":[\"com.dokku.root=$root\"]}")
  for app in $apps; do
    for network in $(listed /networks "{\"label\":[\"com.dokku.app-name=$app\"]}"); do
      labels=$(engine GET "/networks/$network" 2>>"$LOG" | grep -o '"com.dokku.root":"[^"]*"' || true)
      case $labels in
        '') ours="$ours $network" ;;
        *"\"$root\"") ;;
        *) theirs="${theirs-} $network" shared="${shared-} $app" ;;
      esac
    done
  done
  # shellcheck disable=SC2086 # lists of ids
  {
    others=" $(attached ${theirs-} | tr '\n' ' ')"
    containers=$(attached $ours
      # Without a network, our own label tells.
      for app in $apps; do
        listed '/containers/json?all=true' "{\"label\":[\"com.dokku.app-name=$app\",\"com.dokku.attempt\"]}"
      done)
    for id in $(printf '%s\n' $containers | sort -u); do
      case $others in
        *" $id "*) ;;
        *) echo "$id" ;;
      esac
    done | removed containers '?force=true&v=true'
    printf '%s\n' $ours | sort -u | removed networks ''
  }
  for app in $apps; do
    for id in $(listed /images/json "{\"label\":[\"com.dokku.app-name=$app\"]}"); do
      purge_image "$app" "$id"
    done
    case "${shared-} " in
      *" $app "*) ;; # the other root's app uses the same volumes
      *) purge_caches "$app" ;;
    esac
  done
  purge_nodes
}

# placed: prints the apps of this root that a swarm runs, if this server is one of its managers.
placed() {
  engine GET /services -G --data-urlencode 'filters={"label":["com.dokku.app-name","com.dokku.attempt"]}' 2>>"$LOG" |
    grep -o '"com.dokku.app-name":"[^"]*"' | cut -d '"' -f 4 | sort -u |
    while read -r app; do
      [ ! -e "$HOME_DIR/$app/dokku/state.json" ] || echo "$app"
    done
}

# purge_nodes: removes the service that this server has brought to the nodes of its swarm, and
# what ended processes of it left here.
purge_nodes() {
  self=$(engine GET /info 2>>"$LOG" | sed -n 's/.*"Swarm":{"NodeID":"\([^"]*\)".*/\1/p' || true)
  service=$([ -z "$self" ] || listed /services "{\"label\":[\"com.dokku.node-from=$self\"]}" || true)
  if [ -n "$service" ]; then
    echo "$service" | removed services ''
    listed /secrets '{"label":["com.dokku.node-keys"]}' | removed secrets ''
  fi
  tries=0
  while [ -n "$service" ] && [ "$tries" -lt 40 ] && [ -n "$(listed /containers/json '{"label":["com.docker.swarm.service.name=dokku-node"]}' || true)" ]; do
    tries=$((tries + 1))
    sleep 0.25
  done
  listed '/containers/json?all=true' '{"label":["com.docker.swarm.service.name=dokku-node"],"status":["created","exited","dead"]}' | removed containers '?v=true'
  listed /images/json '{"label":["com.dokku.node-program"]}' | removed images '?force=true'
}

# purge_caches APP: removes the volumes that builds of an app keep for the next one. Those
# of Dokku have the label of its vendor.
purge_caches() {
  for kind in builder-type pack-builder; do
    for volume in $(engine GET /volumes -G --data-urlencode "filters={\"label\":[\"com.dokku.app-name=$1\",\"com.dokku.$kind\"]}" 2>>"$LOG" |
      grep -o '"Name":"[^"]*"' | cut -d '"' -f 4); do
      case $(engine GET "/volumes/$volume" 2>>"$LOG") in
        '' | *'"org.label-schema.vendor"'*) ;;
        *) echo "$volume" | removed volumes '' ;;
      esac
    done
  done
}

# purge_image APP ID: removes our names of an image, and the image unless it has others
# or something uses it.
purge_image() {
  about=$(engine GET "/images/$2/json" 2>>"$LOG" || true)
  tags=$(printf '%s\n' "$about" | sed -n 's/.*"RepoTags":\[\([^]]*\)\].*/\1/p' | tr -d '"' | tr ',' ' ')
  # A version has a name of 12 digits here. Dokku's images have the name latest too.
  versions=$(printf '%s\n' "$tags" | tr ' ' '\n' | grep -Ecx "dokku/$1:[0-9a-f]{12}" || true)
  case $about in
    *'"org.label-schema.vendor":"dokku"'*) [ "$versions" -gt 0 ] || return 0 ;;
  esac
  foreign=
  for tag in $tags; do
    if [ "$versions" -gt 0 ] && printf '%s\n' "$tag" | grep -Eqx "dokku/$1:([0-9a-f]{12}|latest)"; then
      engine DELETE "/images/$tag" >>"$LOG" 2>&1 || foreign=used
    else
      foreign=named
    fi
  done
  [ -z "$foreign" ] || return 0
  # The last name may have taken the image with it.
  if engine GET "/images/$2/json" >/dev/null 2>&1; then
    engine DELETE "/images/$2" >>"$LOG" 2>&1 || say "Kept: the image $2, which something else uses"
  fi
}

# remove_registry [PURGE]: ends the service of registry:serve. Its files and images are in
# the user's home, which only a purge removes.
remove_registry() {
  registry=$OWNER-registry
  if [ -e "/etc/systemd/system/$registry.service" ]; then
    ! systemd_runs || systemctl -q disable --now "$registry" >>"$LOG" 2>&1 || true
  elif [ -x "/etc/init.d/$registry" ]; then
    "/etc/init.d/$registry" stop >>"$LOG" 2>&1 || true
    update-rc.d -f "$registry" remove >>"$LOG" 2>&1 || true
  fi
  rm -f "/etc/systemd/system/$registry.service" "/etc/init.d/$registry"
  [ -n "$1" ] && [ -s "$HOME_DIR/.dokku/registry/ca.crt" ] || return 0
  for trusted in /etc/docker/certs.d/*/ca.crt; do
    if cmp -s "$trusted" "$HOME_DIR/.dokku/registry/ca.crt"; then
      rm -f "$trusted"
      rmdir "$(dirname "$trusted")" 2>/dev/null || true
    fi
  done
}

uninstall() {
  apps=$([ -z "$1" ] || is_front_door || placed)
  # shellcheck disable=SC2086 # a list of names
  [ -z "$apps" ] || die "the swarm of this server still runs $(echo $apps): dokku apps:destroy ends an app on all nodes, and 'dokku scheduler:set APP selected docker-local' takes it back here; 'docker swarm leave --force' leaves the swarm to the other managers, with what runs there"
  step "Stopping the agent"
  if [ -e "$UNIT" ] && systemd_runs; then systemctl -q disable --now "$SERVICE" >>"$LOG" 2>&1 || true; fi
  if [ -x "$INIT" ]; then
    "$INIT" stop >>"$LOG" 2>&1 || true
    update-rc.d -f "$SERVICE" remove >>"$LOG" 2>&1 || true
  fi
  remove_registry "$1"
  remove_builder
  remove_firewall
  remove_cgroups
  # Otherwise their hooks would reject every push.
  if [ -s "$LIB/repositories" ]; then
    cp "$LIB/repositories" "$LIB/unhook"
    while read -r path; do
      (unhook "$path" </dev/null) || true
    done <"$LIB/unhook"
  fi
  [ -z "$1" ] || purge
  [ -n "$1" ] || ! is_front_door || other_keys | put_keys
  step "Removing dokku"
  rm -f "$UNIT" "$INIT" "$ROTATE" "$SUDOERS" "$CONF" "$LIMITS"
  rmdir "$(dirname "$LIMITS")" 2>/dev/null || true
  few_connections
  ! systemd_runs || systemctl daemon-reload
  if nginx_runs; then
    run "test nginx's configuration" "fix the error above, then run: nginx -s reload" nginx -t
    run "reload nginx" "see: nginx -t" nginx -s reload
  fi
  [ -z "$ALIAS" ] || [ "$(readlink "$ALIAS")" != "$BIN" ] || rm -f "$ALIAS"
  rm -f "$BIN" "$COMMAND"
  rm -rf "$LIB" "$CACHE" "/run/$SERVICE.pid"
  step "Done"
  say "Kept: the installed packages (Docker, nginx, git, sshd, Go)"
  [ -n "$1" ] || say "Kept: the apps in $HOME_DIR and their running containers, which nginx no longer serves (--purge removes them)"
}

purge() {
  step "Removing all apps, their containers, networks and images"
  if is_front_door; then
    : # nothing of it is in an engine
  elif engine_answers >/dev/null 2>&1; then
    purge_engine
  elif [ -d "$HOME_DIR" ]; then
    die "cannot remove the apps' containers: Docker does not answer; start it, then run this again"
  fi
  if getent passwd "$OWNER" >/dev/null; then
    userdel "$OWNER" >>"$LOG" 2>&1 || die "cannot remove the user $OWNER: $(tail -n 1 "$LOG")"
  fi
  rm -rf "$HOME_DIR" "$DEMO" "$NGINX_FILES" "/var/log/$SERVICE.log"*
  [ ! -d "$DATA" ] || rmdir "$DATA" 2>/dev/null || warn "Kept: the data of apps in $DATA; to remove it: rm -rf $DATA"
  [ -z "$BESIDE" ] || rmdir "$(dirname "$DATA")" 2>/dev/null || true
}

# --------------------------------------------------------------------------

command=${1:-help}
case $command in
  help | -h | --help)
    usage
    exit 0 ;;
  install | front-door | builder | demo | test | hooks | uninstall) ;;
  *)
    usage >&2
    die "there is no command $command" ;;
esac
need_root "$@"
shift
case $command in
  install)
    case ${1:-} in
      '') ;;
      --beside-dokku)
        beside
        shift
        choose_ports "$@" ;;
      *) die "install has no argument $1, only --beside-dokku" ;;
    esac
    lock
    install_all
    next_steps ;;
  front-door)
    [ $# -le 1 ] || die "front-door has one argument: put the key in quotes"
    lock
    front_door "$@" ;;
  builder)
    [ $# -le 1 ] || die "builder has one argument: --remove"
    lock
    builder "$@" ;;
  demo)
    lock
    install_all
    demo ;;
  test) test_all "$@" ;;
  hooks)
    lock
    if [ "${1:-}" = --remove ]; then unhook "${2:-}"; else hooks "$@"; fi ;;
  uninstall)
    purging=
    for word; do
      case $word in
        --purge) purging=$word ;;
        --beside-dokku) beside ;;
        *) die "uninstall has no argument $word, only --purge and --beside-dokku" ;;
      esac
    done
    lock
    uninstall "$purging" ;;
esac
