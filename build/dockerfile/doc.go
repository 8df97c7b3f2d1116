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
package dockerfile
