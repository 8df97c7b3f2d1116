// Package dockerfile builds a revision from its Dockerfile.
//
// The file is Dockerfile in the root, or the path that the request names. A name that
// differs in case only is reported and not used: the engine would not find it. A
// repository without the file is searched for others, which the error names.
//
// # Ports
//
// The first EXPOSE of a Dockerfile is web's port, as in Dokku. An image keeps its
// ports without an order, so the file is read with BuildKit's own parser. Dokku
// searches all stages; here only the last stage counts, with the stages that it
// builds on, because the ports of other stages are not in the image. With a target, that
// stage counts. Rejected: the
// image's history, which has the order too, but each line's ports sorted.
//
// # What a Dockerfile may not name
//
// The engine follows a Dockerfile with its own rights: it has the images of all apps, logins
// to registries, and the host's place in the network. So images of other apps and hosts that
// are the server's alone are refused before the build, by their names in the file and, since an
// image has any name that somebody gave it, by the app that its label names. A variable
// counts with the value that the file gives it.
//
// This is no wall: a base image may have triggers (ONBUILD), an address may answer with another
// one, and a name may get another address between the look and the request. Only a
// builder in a network of its own is one. Rejected: to follow these by requests of our own, since
// the engine's come later and may be answered in another way.
//
// The frontends that may read a Dockerfile are a list of the server's, since such an image
// decides what the build does. A cache that a step mounts has the app's name before its own, so two
// apps that name the same id have two caches; a path inside a cache is refused on engines that follow
// a link there out of the build.
//
// BuildKit leaves caches and secrets out of what it knows a step by: an app with the same step on
// the same files would get the result of another app's, with what it took from that app's cache or
// secret. So in an app whose Dockerfile mounts any, the steps have a line of /etc/hosts that names
// the app. All other apps share the results of equal steps, which come from nothing but files that
// they have too. Triggers of a base image (ONBUILD) are not seen. Rejected: that line for all apps,
// which would run the steps of a second app of the same repository again.
package dockerfile
