// Package build is the contract of builders, which turn a pushed revision into an
// image, and the order in which they are asked. It knows no apps, hooks or formations.
//
// Package source reads and validates the revision. Each builder has a package of
// its own. Package buildkit has the Docker Engine's BuildKit make an image, for builders
// that come down to a Dockerfile; package container runs the steps of the others.
//
// # Decisions
//
//   - A server has a list of [Builders]. The builder that a setting selects builds a
//     revision, else the first that detects it, so the order of the list is the order
//     of precedence. It is Dokku's: .buildpacks or BUILDPACK_URL, project.toml,
//     Dockerfile, railpack.json (its dockerfile builder asks herokuish and pack first).
//     A [Fallback] takes what nobody detects, as herokuish does in Dokku.
//   - The push prints what the builder builds from, and what others would have built
//     from: a project.toml that somebody added for a tool would else take a Dockerfile's
//     place silently. The result records which builder it was and why.
//   - A selected builder is never replaced by another one. If it cannot build, the
//     error says why.
//   - If no builder fits, the error joins the reasons of all of them and names the
//     language of the revision. Each builder words its own reason, because only the
//     builder knows what to add.
//   - A folder of the repository (build-dir) is built by narrowing the commit to the
//     folder's tree (source.Folder). Builders read Commit.Tree and need no rule of
//     their own. A link that leads out of the folder leads out of the build, as in
//     Dokku, which copies the folder.
//   - An image that reads Dockerfiles (# syntax=) decides what a build does and asks
//     for the registries' passwords. So a server allows such images by name. All lines
//     that any engine may take for the directive count, and so does the build argument
//     BUILDKIT_SYNTAX.
//   - Builders like herokuish find the process types of an app without a Procfile in what
//     they built. Result.Procfile has them in the form that everybody knows.
//   - The time of a build is limited here, for all builders alike (Request.Limits), by
//     the context. Its memory is a matter of the builder's containers.
//   - A builder gets its engine when it is constructed, not with each request: a
//     request then describes the app alone, and a builder without the engine's
//     socket is possible. This package imports no builder, the caller makes the
//     list.
//   - Settings that only one kind of builder knows are plain fields of [Request]. A
//     map of properties was rejected: a misspelled key would be silent.
//   - Labels must be the same at each build of an app: they are part of the image,
//     and the same content has to make the same image id again.
package build
