// Package app is the data of an app: State (the settings and the position of its
// releases), Release, Settings (the server's), and View, an app together with the
// server's settings. A View answers questions without a lock.
//
// It imports scale, proc and disk. Its only I/O resolves mount paths and the host's name
// and address. Package store reads and writes its types;
// package deploy acts on them.
//
// # Decisions
//
// Only the desired state is stored (State, Release). The running containers are
// observed, never stored: a record of them could be wrong after a crash.
//
// A Release is immutable. A rollback or a restart therefore makes a new release from an
// old one (Derive).
//
// The local scale is not part of a release, so ps:scale does not restart processes whose
// count stays. ps:scale --skip-deploy has a field of its own (ScaleNext) until the next
// release: in Scale, the next converge would apply it.
//
// Mounts, networks and limits are part of a release, like the config (ContainerOptions).
// A container that ps:scale adds gets the options of its siblings, and a change takes
// effect with the next release.
//
// So are docker options of the phase deploy. Those of the phase run are not: a one-off
// command has the present ones, as it has the present config. Capabilities and devices are
// checked against the server's settings when an option is added, at a deploy and for each
// one-off container, but not when a container of a release that serves is started again: a
// withdrawn right takes no app down.
//
// Mounts of host folders lie directly below one folder, the data root, or are named by the server's
// allowed-mounts, and the engine gets no link to one. An
// engine opens the source of a mount by its path, and again at each restart of the container,
// so a check before the start is not enough: inside a folder that an app mounts, it can
// replace another app's source by a link to the root of the host, and wait for a restart.
// No container writes to the data root itself. Rejected: to open the source without
// following links (openat2) and mount /proc/PID/fd/N, which is gone at the restart.
// Apps without isolation keep mounts deeper below, which are resolved for each container, and
// somebody on the server may add one; an imported app needs that.
//
// Isolation of containers (State.Isolation) has a version, stored with the app when it is
// made, so that an update changes no app. It is part of a release, like the limits: the
// containers that ps:scale adds have the rights of their siblings, and a switch is a release
// that has to pass its checks. A clone has what its original has, and an app from another server
// what it had there: their images may need it. A rollback keeps the present isolation, as it
// keeps limits: an old release is no way around it. isolation:disable is a right over the
// server, so a key cannot give it. Version 2 also keeps containers from the host's ports. What is
// opened (network:set host-ports) is no part of a release: it takes effect at once, so that it is closed at
// once too. Rejected: one version whose effect grows with an update, since an app of version 1 may use a
// database of the host.
//
// The default limit of memory is a share of the server's (MemoryShare), so that one
// container cannot take all of it: half leaves room for the others and the server, and on 1 GB
// it is the 512 MB that common frameworks need. It is stored with the release. Rejected: a
// fixed limit, too much for a small server and too little for a large one; one for all containers of an
// app together, for which the engine has no setting that a plain user can give.
//
// initial-network, attach-post-create and attach-post-deploy have the same effect: a
// container joins these networks before its process starts, beside the app's own
// network with the fixed address that the proxy uses. As in Dokku, the app's alias there
// resolves to every running container: to both releases while one is gated or retires.
// An engine sets aliases only when a container joins a network, and joining again would
// cut connections.
//
// What stands in front of an app (redirects, maintenance, passwords) is no part of a release:
// it takes effect at once and a rollback keeps it. A domain that is redirected is one of the
// app's Names, so it is unique among all apps and has a certificate, and none of its Domains,
// which the app is told and URLs show.
//
// The labels of existing resources cannot be changed. A renamed app therefore keeps its
// former name (State.Renamed), serves with the old containers and replaces them by a
// restart. Until no resource carries the former name, no other app can get it. The name
// of an image decides its owner, not its label, so a rename needs no new build.
package app
