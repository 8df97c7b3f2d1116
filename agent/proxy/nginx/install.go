package nginx

import (
	"fmt"
	"path/filepath"
	"strings"
)

// ConfD returns the text of /etc/nginx/conf.d/dokku.conf for the nginx folder
// dir ($DOKKU_ROOT/.dokku/nginx). The path must not need quoting in nginx.
//
// nginx's own 64 bytes a name are too few for domains of more than 50
// characters. nginx refuses the two settings when they are given twice: an
// admin's own, in nginx.conf, have to go. So it does with client_header_timeout, which
// install.sh leaves out where an admin has set it; see "Limits".
func ConfD(dir string) string {
	return fmt.Sprintf(`# Written by dokku's installation. The apps' servers are in %[1]s/live,
# a link to files that are written anew at each deploy.
server_names_hash_bucket_size 512;
server_names_hash_max_size 8192;
client_header_timeout 20s;
include %[1]s/live/*.conf;
`, dir)
}

// ConfDBeside is ConfD where Dokku serves by the same nginx: Dokku has set
// server_names_hash_bucket_size, and nginx refuses that twice.
func ConfDBeside(dir string) string {
	return fmt.Sprintf("# Written by dokku's installation beside Dokku. The apps' servers are in %[1]s/live.\ninclude %[1]s/live/*.conf;\n", dir)
}

// CheckScript returns the text of the script for Config.Check, for the nginx folder dir and the
// path of the file that has ConfD's text. It takes no arguments, so that a sudo rule may name it
// alone:
//
//	dokku ALL=(root) NOPASSWD: /usr/local/lib/dokku/nginx-check ""
//
// It has to be owned by root, in folders that root owns. A plain user cannot
// test nginx's configuration (pid file, port 80, certificates), and root's
// nginx -t tests the live files. So the test runs in a private view of the files, in which conf
// includes a copy of the staged files. A container may
// forbid mounts even to root: there a copy of /etc/nginx is tested, changed in the same way.
//
// The user dokku owns dir with its links, and may change them at any moment. So root follows
// none of them: the owner of dir reads the files, root puts them into a new folder of its own,
// and only files and folders of root's are mounted.
func CheckScript(dir, conf string) string {
	return fmt.Sprintf(`#!/bin/sh
# Tests nginx's configuration with the staged apps in the place of the live ones. Their
# owner may be an attacker: root neither follows a link in that folder nor mounts over one.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH
dir=%s
conf=%s
pid=/run/nginx.pid
cd / || exit 1
ulimit -S -n "$(ulimit -H -n)" # each app's logs are two open files

# The owner of the folder is asked at the root's own folder above it, not at a link.
owner=$(stat -c %%u:%%g -- %s) || exit 1
copy=$(mktemp -d) || exit 1
trap 'rm -rf "$copy"' EXIT
trap 'exit 1' HUP INT TERM
mkdir "$copy/staged" || exit 1
as_owner() { setpriv --reuid "${owner%%:*}" --regid "${owner#*:}" --clear-groups --no-new-privs --inh-caps=-all "$@"; }
as_owner tar -C "$dir/staged" -cf - . >"$copy/staged.tar" &&
    tar -C "$copy/staged" --no-same-owner --no-same-permissions -xf "$copy/staged.tar" || exit 1
strange=$(find "$copy/staged" -mindepth 1 ! -type f -printf '%%P\n' | head -n 1)
if [ -n "$strange" ]; then
    echo "the staged nginx files have something that is no file: $strange" >&2
    exit 1
fi

# nginx -t leaves an empty pid file behind where nginx is not running, and
# nginx -s reload would stumble over it.
had_pid=
[ -e "$pid" ] && had_pid=yes

if [ ! -e "$conf" ]; then # nothing includes the files
    timeout 30 nginx -t -q >"$copy/said" 2>&1
    status=$?
elif unshare -m true 2>/dev/null; then
    sed "s|$dir/live/|$copy/staged/|g" "$conf" >"$copy/conf" || exit 1
    unshare -m sh -c 'mount --bind "$0" "$1" && exec timeout 30 nginx -t -q' "$copy/conf" "$conf" >"$copy/said" 2>&1
    status=$?
else
    mkdir "$copy/etc" && cp -RP /etc/nginx/. "$copy/etc" &&
    find "$copy/etc" -type f -exec sed -i "s|$dir/live/|$copy/staged/|g; s|/etc/nginx/|$copy/etc/|g" {} + &&
    timeout 30 nginx -t -q -c "$copy/etc/nginx.conf" >"$copy/said" 2>&1
    status=$?
fi
sed "s|$copy/staged/|$dir/live/|g; s|$copy/etc/|/etc/nginx/|g" "$copy/said" >&2

[ -z "$had_pid" ] && [ ! -s "$pid" ] && rm -f "$pid"
exit "$status"
`, quoted(dir), quoted(conf), quoted(filepath.Dir(filepath.Dir(dir))))
}

// ReloadScript returns the text of the script for Config.Reload, to be owned
// by root like CheckScript. It needs no systemd. nginx -s reload would read the
// configuration before nginx is told, on the way of every deploy, which a test
// of the same files precedes anyway. It does not start nginx, which
// may be stopped on purpose; its exit status is then 3.
//
// It tells the old workers to stop accepting as soon as the new ones accept, and returns
// then; see "Proof".
func ReloadScript() string {
	return `#!/bin/sh
# Makes nginx read its configuration again. Where nginx refuses that, it says so only in
# its log, and keeps what it serves.
set -u
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# After a crash the pid file may name a process that is not nginx.
pid=$(cat /run/nginx.pid 2>/dev/null)
if [ -z "$pid" ] || [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != nginx ]; then
    echo "nginx is not running: start it with 'systemctl start nginx' or 'nginx'" >&2
    exit 3
fi

# children lists nginx's processes in one line. A process's title follows its state: it says
# "worker process" once that accepts connections, and more once it stops.
children=/proc/$pid/task/$pid/children
accepts() {
    title=
    read -r title <"/proc/$1/cmdline"
    case $title in
    "nginx: worker process is shutting down"*) return 1 ;;
    "nginx: worker process"*) return 0 ;;
    esac
    return 1
} 2>/dev/null
list=
[ -r "$children" ] && read -r list <"$children"
old=' '
count=0
for worker in $list; do
    accepts "$worker" && old="$old$worker " && count=$((count + 1))
done
kill -HUP "$pid" || exit 3

# nginx takes 100 ms from starting new workers to telling the old ones to stop. Until then the
# old ones answer most requests. They are told here as soon as there are as many new
# ones. If that takes long, nginx does it, or refuses its files.
turns=300
while [ "$count" -gt 0 ] && [ "$turns" -gt 0 ]; do
    list=
    read -r list <"$children"
    new=0
    left=
    for worker in $list; do
        accepts "$worker" || continue
        case $old in
        *" $worker "*) left="$left $worker" ;;
        *) new=$((new + 1)) ;;
        esac
    done
    [ -n "$left" ] || exit 0
    [ "$new" -lt "$count" ] || kill -QUIT $left 2>/dev/null
    turns=$((turns - 1))
    sleep 0.002
done
exit 0
`
}

// quoted returns s as one word of a shell.
func quoted(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
