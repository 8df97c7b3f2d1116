// Package backup writes backups of apps and of the server's settings and keys, and
// restores them. Package archive defines the file, and package vault keeps such files
// elsewhere. It imports agent, deploy, engine, keys, repo, store and vault.
//
// # Decisions
//
// A backup contains the desired state and the pushed repositories: each app's repository,
// state and releases between two operations, under the app's lock. It does not contain
// observed state, or data that the engine or the host keeps for an app (volumes,
// folders, logs); the command names those.
//
// A restore unpacks and checks the whole file in a staging folder and prepares each app's
// folder there. One rename then adds the app, or exchanges it with the one that it
// replaces, so a kill leaves the old or the new one. A restored app appears stopped,
// with a mark that it is to be started (app.Restored), because every command can handle
// a stopped app. Its first release starts like any other, from the restored image or
// from a new build of the deployed revision. There is one attempt: an app that does not
// start stays stopped. After a kill the agent makes that attempt, three times at most: each is
// counted before it is made, since an app may kill whoever starts it. The state keeps the
// backup's id, so that the same command again skips finished apps and does the rest.
//
// An image's id depends on the engine's image store: the classic one names the
// configuration, containerd's the manifest. So a restore takes the ids from the engine's
// answer to the load and writes them into the restored releases.
//
// The server's own settings and keys win over those of a backup, because they decide who
// may do what on this server. A restore never takes over settings of the machine: the
// engine's address, the pool, nginx's commands.
//
// A restore trusts nothing in the file. Every value of a state, a release and the settings
// passes the check of its command (values.go, and RestoreOptions.Properties for those that
// NOUN:set stores): a file that no server has written is refused with the value's name. That a
// value is refused which somebody wrote into state.json by hand is the price; a proof of the
// backup finds it before it is needed, as far as the values are not those of properties. What
// only somebody on the server may set is left out over ssh, with a line. Rejected: to drop
// what is invalid, since nobody reads such lines and an app without its limits is another app.
//
// An app that cannot be read does not keep a backup of the whole server from being made: it
// is left out and named, and the backup does not count as proven. Where apps are named, one
// that cannot be read is an error. Refs are packed into one file in the copy, since git takes
// names of any bytes and any length, and an archive does not.
//
// The keys of a swarm's nodes are part of a backup of the whole server, see package node.
//
// The plans of kept backups are part of a backup, with their keys to S3, as all other
// credentials are. The plan of a service waits in the folder of the server's own plan until a
// service of that name exists: a folder below services/ without a record would be taken for
// the rest of one. Until then it says where the service's backups are, so SERVICE:restore
// finds them. A schedule counts from its restore on, so no empty volume is backed up at once.
// Over ssh, a plan names neither folders of the server nor its role.
package backup
