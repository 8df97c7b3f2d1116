// Package container runs the steps of a build in containers of a Docker Engine, for
// builders that do not come down to a Dockerfile: buildpacks.
//
// A step is a [Container]: Create makes it, CopyIn puts files into it, Run starts it and
// prints its output, CopyOut reads files, Commit makes an image of it, Remove removes it
// with everything that it alone has.
//
// # Decisions
//
//   - No container of a build has the engine's socket, a folder of the host, or a
//     privilege: all capabilities are dropped but those that the step names, and no
//     program gains one (no-new-privileges).
//   - What the steps of one build share lies in anonymous volumes of the first one
//     (Spec.Scratch, Spec.From). They go with that container, so that a killed build leaves
//     nothing but containers, which are found by their labels. They carry all labels of the
//     container: if the engine crashes, or somebody removes the container without them, the
//     agent finds them too. Rejected: named volumes, which outlive their container.
//   - A cache is a named volume with the app's labels. It outlives builds. The agent removes
//     it with the app. A volume of that name without such labels is left alone, and the
//     build refused: it may have somebody's data.
//   - A container's name is fixed for an app and a step. The caller holds the app's lock,
//     so whoever has the name is left of a killed build, and is removed. The lock ends with
//     its process, so a container of a build under a lock that is free is left of a killed
//     one. Rejected: the process and its start as a label, which would say the same again.
//   - The engine copies a container's variables and labels into an image that is made of
//     it. A secret of the build would stay in the image, and a process of the image would
//     pass for a step of a build. So Commit sets all labels of the container that the
//     image does not have to "", and Spec has no variables: what a step needs to know
//     goes into it as a file on a scratch volume, or as Spec.Env where no image is made
//     of the container. Commit refuses a container with other variables than those that
//     the image sets.
//   - Commit works with both image stores of the engine: in containerd's, the id that it
//     answers is the digest of a manifest. Nothing here computes an id.
//   - A container's log is not kept by the engine: its output goes to the push alone.
//   - Memory includes swap, as a build that swaps slows every app on the host.
package container
