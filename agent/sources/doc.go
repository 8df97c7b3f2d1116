// Package sources deploys what nobody pushed: an image, an archive, a commit of another
// repository. It stands on top of package agent, as keys, letsencrypt and oneoff do, and
// knows no words of a command line.
//
// # Decisions
//
// There is one road into an app. A command makes a commit in a repository of its own,
// which borrows the app's objects, and git push carries it over; the receive-pack of that
// push is this program's wrapper, as it is behind sshd. So the same hooks validate, build,
// check and accept, and a kill at any moment is one that a push may suffer too. Rejected:
// to call Prepare and move the ref here, which would be a second road with its own races;
// to write into the app's repository, where a refused commit would leave its objects.
//
// The push expects the branch where it was when the command began (--force-with-lease): of
// two commands at once the second one fails with one line. For git:sync that is also what
// lets a remote whose history was rewritten move the branch, as a forced push does.
//
// A detached push takes the same road. Its objects lie in git's quarantine, which goes with
// the client's push, so their files are linked into a repository like that of a command
// (Detached.Keep), and the push begins anew there, with the number of its deploy in its
// Origin. It expects the branch where the client saw it, or where another push has moved it
// since, if it follows that one: who detaches two commits, one after the other, wants both.
// Else whoever is faster wins, and the deploy's record says so. Git tells its hooks nothing of the boundary of a shallow
// client's history; source.Boundary finds it in the objects.
//
// Hooks print through descriptors of the command (event.Streams), not through git, which
// would put "remote: " before each line and mix output and errors. What else they have to
// know of the command is in one variable (deploy.Origin). No client of ssh can set either:
// the forced command's environment begins empty.
//
// The folder of a command is locked by its process (store.Staging). After a kill, the next
// command or the agent removes it.
//
// # Images
//
// The commit is a Dockerfile with FROM and labels, as in Dokku, so that builders, build-dir
// and ps:rebuild need to know nothing about it. FROM is a build argument whose default is
// the image's name by digest, if a registry has it. On the server that has the image, a
// build gets an own name of it instead, which the release keeps (deploy.ImageDockerfile):
// BuildKit cannot take an image by its id, a name that somebody else moves would change
// what ps:rebuild builds, and a registry may be gone. Rejected: to keep the image by a name
// outside dokku/APP, since no app would own it, and rename, backup and destroy would each
// have to know it.
//
// An archive of git:load-image passes through a filter that leaves no name but the one that
// was asked for: docker load would move the names of other apps' images. What passes to the
// engine is counted after it is unpacked, and ends where the disk has no room for it twice.
//
// # Archives
//
// Files go from the archive into git's objects. None of their names ever becomes a path on
// this disk, so that ".." and links have nothing to lead to; they are refused all the same,
// by name, since the commit would not be what its sender sees. Sizes are checked by the
// header of an entry before its content is read. A zip archive has its table at the end
// and is stored first, up to the limit.
//
// One top folder that has everything is left out for all types. (Dokku leaves out more than
// one of a tar archive, depending on the order of its entries.)
//
// # Other repositories
//
// git:sync fetches as package remote does. The files of git:auth, git:allow-host and
// git:generate-deploy-key are where Dokku has them: .netrc and .ssh in the server's home.
//
// A fetch ends at the setting pack-max-size, as a push does. git has no such limit for what
// it fetches, so it is that of its files (RLIMIT_FSIZE). Rejected: to look at the size of
// the folder now and then, which a fast line outruns.
//
// Nothing stays of a fetch but the commit's history; Dokku keeps all branches of the remote.
// Without --build the branch moves and nothing is deployed, as if skip-deploy were set.
//
// A command that would change nothing ends with Dokku's text and its exit code, 1, which
// Dokku's own documentation has as 0.
package sources
