// Package railpack builds a revision with railpack: its command line tool makes a plan of
// the build, which its frontend for BuildKit then carries out in the engine.
//
// # Decisions
//
//   - railpack is not a part of this program. Its tool has to be installed on the server;
//     the frontend is an image with the tool's version.
//   - `railpack prepare` reads the pusher's files and runs a version manager on them. It
//     runs in a container as every step of a build does, never on the host: the installed
//     tool is copied into it. The image of that container has nothing but a C library and
//     the certificates of CAs.
//   - The variables of the app are secrets of the build, as railpack wants it: they are not
//     in the plan. A hash of them makes a step run again when a value changed.
//   - The frontend merges layers, which the BuildKit of Docker Engine 23 learned. An older
//     engine is refused before anything is pulled.
//   - railpack's images run their command with the ENTRYPOINT /bin/bash -c, to which the
//     words of a Procfile mean nothing. So the image loses its ENTRYPOINT, as in Dokku, and
//     the plan's start command becomes web, where the revision has no Procfile.
package railpack
