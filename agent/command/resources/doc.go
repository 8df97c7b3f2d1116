// Package resources has the commands about the host's resources that an app's processes
// may use: storage:* for folders and volumes, resource:* for memory and CPU.
//
// # Decisions
//
//   - A storage entry is a name in the server's settings for a folder below the data root,
//     or for a volume. A mount copies its path, so that a later entry of that name changes
//     no app. Nothing removes a folder with its data: neither storage:destroy nor a reclaim
//     policy; Dokku's --destroy-host-dir is refused.
//   - storage:mount with --container-dir replaces the options of a mount that is there, as
//     Dokku 0.38 does; the form with colons refuses it, as all versions do.
//   - isolation:* is not in Dokku. It is a noun of its own, not a property of scheduler-docker-local:set,
//     because switching it makes new containers at once, as proxy:enable does, and clients of
//     Dokku set each property that a report shows.
//   - A value of resource:report that is not set is an unknown flag, as in Dokku.
//   - The options z and Z, which relabel a folder for SELinux, are stored where the host has
//     none, and refused where it has: the engine's mounts do not relabel.
package resources
