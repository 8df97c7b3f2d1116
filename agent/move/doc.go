// Package move takes apps over from a Dokku server: it reads that server (Read), finds what
// differs here (App.Steps), and brings the apps' history (Mover). It changes nothing there.
//
// # Decisions
//
// What differs is put right with commands of this program, each with the words that a
// person would type. So every value passes the checks that it would pass anyway, each
// command is safe by itself against a kill, a plan is a list of commands that can be read
// and typed, and what is refused comes with the reason and what to use instead. A second
// run finds nothing that differs, or the rest. Rejected: to write state.json whole and make
// the app appear with one rename, which needs all those checks a second time, and cannot
// serve a second run at all.
//
// Both servers answer the same reports, so a property is compared by name: what the old
// server reports as set and this one computes otherwise is set here. The reports are asked
// for as JSON; where a version of Dokku has no --format for one, its text is read, whose
// lines have the same names. Rejected: to go by the version's number, which says little
// about plugins.
//
// Everything is read first, and only then anything is changed: the person's own ssh keys
// open the old server, and only root may read them, while changes are made as the owner of
// DOKKU_ROOT. For the same reason a repository comes as a tar of its folder, in one file,
// and not with git fetch. The tar has refs before objects: a push to the old server
// meanwhile can only add to the latter. Shallow repositories come as they are. The history then takes the
// road of a push (package sources), with its checks.
//
// An app here whose history is no part of the old server's is another app of the same name:
// it is left alone, before any of its settings are touched. One that is ahead stays ahead.
//
// Files are not copied: folders can be large, and must not change while they are copied. An
// app whose folder has files there and none here is not deployed, since it would begin
// with an empty one. Of a volume, whose files only root can see, it counts whether it exists.
// Beside Dokku, a volume or a network of that name is Dokku's: it is neither mounted nor joined,
// since two apps would write to one, or answer to one name in the other.
//
// DOKKU_SCALE counts here, and not in Dokku 0.30 and later. Rejected: to leave the file out of
// the import, since the next push brings it. What it changes is told.
//
// # Services
//
// A service of Dokku's plugins, or of this program, comes with all that its URL is made of, so
// the app's variables come as they are. It is made with its data in one step (Manager.Adopt):
// a kill, a dump that breaks off, or another number of tables than there leave nothing. So a
// service that is here has its data, and a second import never loads over it: they may have
// changed here. It loads into one that is empty, and into those that a person names (Again).
// One with other passwords is another service of that name.
//
// The dump streams from server to server. The person's keys open the old one, and this process
// is the owner of DOKKU_ROOT by then, whom the old server does not know. So a session for each
// dump is opened while everything is read (Host.Hold): a fixed script that waits for a line.
// Rejected: a helper that keeps root's rights and takes orders; a copy of the dump on the
// disk, which may have no room for it and would keep it.
//
// The script counts before and after the dump, by Docker, for which the plugins have no
// command. Passwords come to it by standard input, since everybody on a host sees command
// lines. What could not be counted is said and no error; fewer keys of a kind whose keys
// expire neither.
//
// An app whose service failed gets its settings, and neither history nor deploy. A variable
// that leads elsewhere here was set by somebody, and stays.
//
// # What people put beside an app
//
// A file of nginx.conf.d can keep nginx from taking any route. Each is tested alone with those
// that are here, in a staged tree, before it is copied; one that is here with other content
// stays. That is no right that import lacks: it refuses to run over ssh.
//
// Cron tasks are suspended before the app is deployed, so that none runs once, and the app is
// locked after that. Both are stored as the commands would, which need a deployed app.
//
// # Ports and certificates
//
// Ports: Dokku maps a Dockerfile's EXPOSE 3000 as http:3000:3000, without any setting. An
// app is reached there by that address, so it gets the mapping as its own one. Where Dokku's
// mappings use the ports 80 and 443 alone, it gets what every app has here.
//
// A certificate of the plugin letsencrypt is taken like any other, so that the app answers
// by https as soon as DNS leads here. It is not renewed: a note says to enable letsencrypt
// then. To enable it at once would make orders fail until DNS leads here.
package move
