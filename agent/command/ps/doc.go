// Package ps has the commands about an app's processes: ps:* scales, starts, stops and
// replaces them, and checks:* sets the checks that new processes have to pass.
//
// scheduler:set and scheduler-docker-local:set are for clients of Dokku that set what is so
// here anyway: they take docker-local, and store init-process where ps:set stores init. All
// processes of a deploy start together, so a parallel-schedule-count is refused.
package ps
