// Package ps has the commands about an app's processes: ps:* scales, starts, stops and
// replaces them, and checks:* sets the checks that new processes have to pass.
//
// scheduler:set and scheduler-docker-local:set are for clients of Dokku that set what is so
// here anyway: they take docker-local, and store init-process where ps:set stores init. All
// processes of a deploy start together, so a parallel-schedule-count is refused.
//
// ps:scale shows a row for the release command, always with 0, and takes release=0 without
// effect: Dokku has that row, and clients give back what it prints.
package ps
