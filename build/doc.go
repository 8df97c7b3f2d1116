// Package build is the contract of builders, which turn a pushed revision into an
// image, and the order in which they are asked. It knows no apps, hooks or formations.
//
// Package source reads and validates the revision. Each builder has a package of
// its own: dockerfile is the first. Package buildkit has the Docker Engine's
// BuildKit make an image, for builders that come down to a Dockerfile.
//
// # Decisions
//
//   - A server has a list of [Builders]. The first that can build a revision builds
//     it, so the order of the list is the order of precedence. The push prints what
//     the builder builds from, and the result records which builder it was and why.
//   - If no builder fits, the error joins the reasons of all of them. Each builder
//     words its own, because only the builder knows what to add.
//   - A builder gets its engine when it is constructed, not with each request: a
//     request then describes the app alone, and a builder without the engine's
//     socket is possible. This package imports no builder, the caller makes the
//     list.
//   - Settings that only one kind of builder knows are plain fields of [Request]. A
//     map of properties was rejected: a misspelled key would be silent.
//   - Labels must be the same at each build of an app: they are part of the image,
//     and the same content has to make the same image id again.
package build
