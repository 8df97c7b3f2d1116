// Package scale decides the number of processes of each type that an app runs, and their
// commands. It reads the files that a repository ships (Procfile, DOKKU_SCALE, app.json)
// and combines them with the local settings. It is pure: it gets the contents of the
// files, and imports neither Docker, git nor any other package of this module.
//
// # Read all, decide, then act
//
// Dokku 0.3.26 evaluated the counts of DOKKU_SCALE as shell arithmetic while it replaced
// containers, and failed halfway on a bad line. Here each file is read to its end before
// any decision, and all bad lines are reported at once, each with its line number, its
// text and the correct form. Rejected: skipping bad lines with a warning. The author of
// "web=two" did not mean "web=1", and a deploy that guesses is worse than an error.
//
// A file of the largest size is read in less than a second, whatever it has. So names are
// looked up in maps, and a revision's commands have at most 4 KiB: the shell's parser takes
// time with the square of the open parentheses. Releases of older versions may have longer
// ones, and are read.
//
// # Precedence
//
// A formation in app.json wins, then DOKKU_SCALE, then the local settings of ps:scale,
// then the default: web=1, all other types 0. The winner is complete: a type that the
// file leaves out does not run. Rejected: merging the sources by type, since the
// repository would no longer show the formation. Overridden local settings are named in
// the push and never changed, so that they apply again once the repository stops
// shipping the file.
//
// A first deploy follows the same rule: without a count, web runs 1 and every other type
// 0, today and later. Defaults are never stored.
//
// # Comments and quotes in a Procfile
//
// A comment begins with # or // at the start of a line or after white space. Dokku also
// finds comments inside quotes, which leaves a quote open, so a command that works in
// Dokku reads the same here.
//
// # Commands
//
// A plain command is split and its variables are expanded here, so that images without a
// shell work. A command that the image's shell might read differently goes to the
// image's /bin/sh: one with operators, redirections, globs, substitutions, assignments or
// builtins, or with variables that the app's config does not have (the image's ENV may set
// them, so expanding them to nothing would be wrong). No command substitution ever runs on
// the host.
//
// A command that no shell can read is refused before the build, with its line and column.
// The exception is a process such as "gunicorn app:create_app()": Dokku passes the words of
// a Dockerfile deploy to the container without a shell, so that line works there, and here
// too, with a warning. Release commands and the scripts of app.json run in a shell in
// Dokku; there the same line is an error. A stored release is not checked: it may have such
// a command for a type that runs nothing.
//
// # Variables of app.json
//
// env follows Dokku 0.38: all variables count at the first deploy, later only those with
// sync; a variable is required unless it says otherwise. A secret is generated where there
// is no value, and kept: Dokku makes a new one at each deploy if the variable has sync,
// which ends all sessions. Mistakes in env are found by Check before a build, not by
// ParseAppJSON, because stored releases of older versions may have them.
//
// # Signals
//
// An engine sends TERM to a container's first process. Where that is a shell that waits
// for the worker, the shell dies and the worker is killed without a warning: dash keeps
// waiting in "cd / && worker", "X=1 worker", "worker 2>&1" and "worker $UNSET", bash and
// busybox in other lines. So Shell inserts exec before the command that a shell runs last,
// where exec is exact: before an external program with a literal name, and not where the
// line sets a trap or has background jobs.
//
// In all other lines the shell has to stay: "a; b", "a || b", pipelines, loops, jobs,
// functions, $CMD. There a small script runs the line in a copy of the shell and passes
// TERM, INT, QUIT and HUP on to what the line runs at that moment: the program, all
// elements of a pipeline, all jobs. They get the whole stop timeout, nothing else of the
// line is started, and the copy leaves with exit code 143. Programs get the signal once and
// their own children get none from us, because many (Celery, nginx) stop their children
// themselves. The script needs /proc/PID/task/PID/children, which Linux has since 4.2.
// Rejected: a signal to the process group, which reaches such children too; rewriting each
// command to "cmd & wait", which changes $! and pipefail.
//
// Limits: a loop or list inside a pipeline element, a subshell or a job gets TERM itself
// and ends without waiting for its program; "a & exec b" leaves a to b. A line that sets a
// trap for TERM stays as it is. A one-off process on a terminal gets exec only, because the
// terminal signals all processes, and a background process would ignore its keys. The
// lines of sh -c "..." and bash -c "..." are treated alike.
//
// # bash
//
// Procfiles are written for Heroku, whose shell is bash. A line with a construct that only
// bash has runs with the image's bash if there is one. Otherwise the image's sh tries the
// construct first, since busybox has many of them, and a missing one is named with its
// replacement; the exit code is 2. Only the container knows its shells, so this happens
// there, in a few lines of POSIX shell. Rejected: bash for every line where the image has
// it, which would change lines that work today.
package scale
