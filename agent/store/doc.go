// Package store keeps the files and locks of a DOKKU_ROOT: the state, releases and
// problems of each app, the server's settings, and the locks that guard them.
//
// It imports app, disk, event, failpoint and text, and nothing above them: it knows no
// engine, no proxy and no git.
//
// # Decisions
//
//   - Each write is a temporary file, fsync, rename, fsync of the folder, through
//     package disk. A crash at any moment leaves the old or the new file.
//   - A lock is an flock(2). The kernel releases it when its holder ends, so a killed
//     process never leaves a lock behind. The file of an app's lock stays as long as the app
//     exists. That of a name which is no app is removed by the lock's only holder, so that refused
//     pushes to new names leave nothing. A process that waited for a removed file would have a lock that
//     nobody else sees: so whoever gets a lock looks whether its file is still the one that
//     the name leads to, and begins again if not.
//     The holder's note in the file is for messages and for finding killed holders;
//     it never decides whether the lock is free.
//   - The store never overwrites or removes a file that a newer version wrote. An
//     operation may touch any file of an app, so opening the app checks the version of
//     each one first, problem.json and the releases too (RefuseNewer). A newer
//     server.json stops commands and the agent alike.
//   - A bad edit of server.json stops commands and pushes with an error. The agent has
//     apps to keep up, so it continues with its own copy of the last good file
//     (GoodSettings). An unknown key counts as a bad edit: a misspelt key would leave the
//     default in force, and the default of keep_releases removes images.
//   - ends.json, cron.json and the runs of cron tasks are written without the app's lock:
//     a deploy holds it for minutes. Only the agent writes the first two, and only whoever
//     began a run its record. A holder of the lock may sweep their temporary files; then
//     they are written again.
//   - An engine may serve several roots. Each root makes up a random name once
//     (Identity), and its networks carry that name in a label.
package store
