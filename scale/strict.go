package scale

// strict runs its argument in the image's bash, or else in its sh: sh of Debian has no
// pipefail.
const strict = `if command -v bash >/dev/null 2>&1; then exec bash -c "$0"; fi; exec /bin/sh -c "$0"`

// Strict returns the arguments for a command that needs a shell and fails when any part
// of it fails: "false; true", and "false | true" where the image's shell has pipefail.
// Dokku runs release, predeploy and postdeploy with the same options.
func Strict(command string) []string {
	return []string{"/bin/sh", "-c", strict, "set -e\nif (set -o pipefail) 2>/dev/null; then set -o pipefail; fi\n" + command}
}
