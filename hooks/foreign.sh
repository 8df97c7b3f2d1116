#!/bin/sh
# pre-receive hook of a repository that another server owns (Gitea, gitolite, a plain
# folder): it deploys each push, and refuses the push if the deploy fails.
#
# It runs as the repository's owner. It pushes the new revision of the deploy branch,
# out of git's quarantine, to the app's repository: over ssh, with its own key, like any
# client. It shows the output of that push and ends with its result. It accepts other
# branches, tags and deletions.
#
# Other checks of the push run first, since a deploy cannot be undone: the former
# pre-receive hook, now pre-receive.local (with its pre-receive.d, if it has one), and
# the update hook, which git itself runs once more afterwards.
#
# install.sh installs this file and writes these settings to the repository's
# configuration:
#   dokku.url     ssh://dokku@localhost:22/APP
#   dokku.key     the private key; beside it lies <key>.known_hosts with the
#                 server's host key
#   dokku.branch  the deploy branch; default: main, else master
set -u

hooks=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd) || exit 1
zero=0000000000000000000000000000000000000000

refuse() {
	printf ' !     %s\n' "$@" >&2
	exit 1
}

quote() {
	printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
}

# pushed BRANCH sets old and new, and fails unless the branch gets a revision.
pushed() {
	while read -r old new ref; do
		if [ "$ref" = "refs/heads/$1" ] && [ "${new#"$zero"}" = "$new" ]; then
			return 0
		fi
	done <<-END
	$input
	END
	return 1
}

input=$(cat)

if [ -x "$hooks/pre-receive.local" ]; then
	printf '%s\n' "$input" | "$hooks/pre-receive.local" || exit 1
fi

if branch=$(git config dokku.branch); then
	pushed "$branch" || exit 0
elif pushed main; then
	branch=main
elif pushed master; then
	branch=master
else
	exit 0
fi

if ! url=$(git config dokku.url) || ! key=$(git config dokku.key); then
	refuse 'This repository cannot deploy: dokku.url or dokku.key is not set in its configuration.' \
		'Run install.sh hooks on it again.'
fi
if [ -x "$hooks/update" ]; then
	"$hooks/update" "refs/heads/$branch" "$old" "$new" || exit 1
fi
if [ "$(git config --type=bool receive.denyNonFastForwards)" = true ] && [ "${old#"$zero"}" = "$old" ]; then
	git merge-base --is-ancestor "$old" "$new" ||
		refuse "$branch was rewritten, which this repository denies (receive.denyNonFastForwards)."
fi

# -F: ignore the owner's own ssh configuration.
GIT_SSH_COMMAND="ssh -F /dev/null -i $(quote "$key") -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20 \
-o ServerAliveInterval=30 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$(quote "\"$key.known_hosts\"") -o LogLevel=ERROR"
export GIT_SSH_COMMAND

# The push option color, if this repository accepts push options.
set --
count=0
while [ "$count" -lt "${GIT_PUSH_OPTION_COUNT:-0}" ]; do
	eval "option=\$GIT_PUSH_OPTION_$count"
	case $option in
	color | color=*) set -- "$@" -o "$option" ;;
	esac
	count=$((count + 1))
done

# The environment still names the quarantine, which has the new objects; git moves no ref
# of this repository. The first "remote: " is removed, since the git that runs this hook
# adds one.
status=$(
	exec 3>&1
	{
		git push --quiet --no-verify "$@" "$url" "+$new:refs/heads/$branch" 2>&1 3>&-
		echo $? >&3
	} | sed -u -e 's/^remote: //' -e 's/[[:space:]]*$//' >&2 3>&-
)
[ "$status" = 0 ] || refuse "$branch was not deployed, so it is not accepted here either."
