// Package oneoff runs one-off commands of an app in containers of their own. It imports
// agent, deploy, engine and the packages below them, and scale for the Procfile's commands.
//
// # Decisions
//
//   - A one-off command never holds the app's lock: deploys continue, and a command need
//     not wait for one. It takes the lock only to finish a release that git has accepted.
//   - Labels of the container say until when it may run and which process started it. An
//     attached container ends with that process. A client cleans up if it can; the agent
//     compares the labels with the clock and with /proc and removes the rest. So a kill
//     at any moment leaves nothing.
//   - A concurrent apps:destroy is noticed by one of the two sides, because both write
//     before they look.
//   - A command gets the present config, including changes by config:set --no-restart, as
//     in Dokku: you can try a change that way. The release's own config was rejected.
//   - The host's log contains a command's first word, the number of its arguments and the
//     names of variables. Arguments and values may be secrets.
package oneoff
