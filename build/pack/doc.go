// Package pack builds a revision with Cloud Native Buildpacks, as the command pack does
// for a builder that is not trusted: each phase of the lifecycle runs in a container of
// its own (https://github.com/buildpacks/spec, platform.md, Platform API 0.12 to 0.14).
//
// # Who runs what
//
//	phase    program               image          sees
//	analyze  our lifecycle         its own        the app's files, layers and caches
//	detect   the builder's         builder image  the app's files, layers and variables
//	restore  our lifecycle         its own        as analyze
//	build    the builder's         builder image  as detect
//	export   our lifecycle         its own        as analyze
//
// All of them run as the builder image's user, without a capability, and without the
// engine's socket or a folder of the host. Detect and build have a network, because they
// fetch what the app needs; our lifecycle has none. No phase has a registry's password:
// this process has the engine pull the builder and run images.
//
// # Decisions
//
//   - Our lifecycle is a program of a module of its own (folder lifecycle, which nothing
//     here imports), because its 578 packages have no place in dokku. install.sh builds
//     it. It runs in an image that has it and nothing else, so that no file of a builder
//     image is read by it. Rejected: linking pack; the image buildpacksio/lifecycle, which
//     would have to be pulled.
//   - The image is exported to an OCI layout (-layout, which the lifecycle calls
//     experimental), not into the engine (-daemon): that needs the socket. The run image
//     lies in the layout without its layers, since the lifecycle only names them. load
//     writes what was exported in the form that `docker load` has always read, again
//     without the run image's layers; the image store of containerd gets them, because it
//     looks for every layer. Rejected: a registry beside the engine.
//   - The image of a lifecycle is made when a build needs it, and takes the place of those of
//     former lifecycles then. The agent does not remove them: it does not know which one is
//     in use, and an engine may serve several versions.
//   - An engine takes a layer that it has already by its digest alone. So load checks that
//     the first layers are those of the run image, and the content of all others: else a
//     buildpack could put another app's layers into its own image.
//   - What buildpacks write is not trusted: our phases read an analyzed.toml that
//     buildpacks get a copy of, and the layout and the caches lie on volumes that they do
//     not see. group.toml and the layers are theirs by the specification.
//   - There are two caches for each app: the layers of cache = true, and the last image,
//     which gives back layers that a buildpack leaves as they are. The specification's
//     launch cache exists only for -daemon. They start empty when the app gets another
//     builder image. A build writes its image to a new volume, and removes the former one
//     when the engine has loaded it: after a kill, the one of the earlier build is whole.
//     A volume is a cache by its labels, never by its name alone.
//   - The lifecycle's debug messages name the buildpack that runs, and what each one said
//     when it did not fit; its usual ones do not. They are read and not printed.
//   - Everything in the image is the same for the same files: the names in the layout are
//     constants, and project metadata with the revision is left out.
//   - An image has a Procfile of its process types (/cnb/process/TYPE) for a revision
//     without one. A Procfile of the revision runs through the launcher.
//   - A setting for the builder image wins over project.toml, as in Dokku. Which images a
//     project.toml may name is a setting of the server: what detect and build run is the
//     image's own program, and pulling it costs the server's disk.
//   - buildpacks:add names buildpacks of the builder image only. Rejected: fetching one by
//     its URL, which pack allows for images; a builder image is the place for it.
//
// # Conformance
//
// The rules of platform.md that a platform has to keep, and where they are kept:
//
//	The platform SHOULD run each phase with the minimum of privileges    phases.go: trusted, untrusted
//	Detect and build MUST NOT run as root                                images.go: readUser; the lifecycle refuses it too
//	Phases run in the order analyze, detect, restore, build, export      job.go: build
//	CNB_PLATFORM_API is one that both lifecycles support                 images.go: platformAPIs
//	CNB_USER_ID and CNB_GROUP_ID are the build image's user              images.go: readUser; job.go: put
//	The run image has the os and architecture of the build image         pack.go: prepare
//	The run image of the builder is used unless the user names one       pack.go: prepare
//	<platform>/env has a file for each variable that the user gave       job.go: writeShared
//	The layers, app and platform folders are at the same path in all     job.go: folders
//	<analyzed> and <group> go from phase to phase                        phases.go: analyze, checkGroup
//	The cache is not written by buildpacks                               job.go: folders (private)
//	An order given by the user replaces that of the builder              order.go
//	<layout-dir>/<registry>/<repo>/<image>/<tag> is an image's place     job.go: layoutPath
//	Exit codes 20, 21 and 51 tell none fits, one failed, build failed    undetected.go, phases.go: compile
//	Registry credentials MUST NOT be given to detect and build           container.Engine.Image pulls
//	A process starts by /cnb/process/TYPE, a command by the launcher     processes.go, agent/app: Release.Start
//	Image extensions need the extend phase                               refused: phases.go: checkGroup
//	-daemon, -publish, rebase, additional tags, cache images             not used
package pack
