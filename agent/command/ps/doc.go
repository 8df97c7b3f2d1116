// Package ps has the commands about an app's processes: ps:* scales, starts, stops and
// replaces them, and checks:* sets the checks that new processes have to pass.
//
// scheduler:set selected moves a running app at once, where Dokku stores the property for the
// next deploy: one command moves an app, or is refused as a whole when the app does not come up
// there. --no-restart has Dokku's way. scheduler-docker-swarm:set is stored for the next deploy.
//
// scheduler-docker-local:set is for clients of Dokku that set what is so
// here anyway: it stores init-process where ps:set stores init. All
// processes of a deploy start together, so a parallel-schedule-count has no effect; it is
// stored, and the command says so. Rejected: to refuse it, which stops a script that moves
// here for a value that changes nothing but the order of starts.
//
// A single value of ps:report and its JSON tell what is set for the server, as in Dokku 0.38.
// The text has Dokku 0.35's defaults in these places, which pydokku makes objects of.
//
// ps:scale shows a row for the release command, always with 0, and takes release=0 without
// effect: Dokku has that row, and clients give back what it prints.
package ps
