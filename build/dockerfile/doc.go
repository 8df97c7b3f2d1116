// Package dockerfile builds a revision from its Dockerfile.
//
// The file is Dockerfile in the root, or the file that the app's setting
// dockerfile-path names. A name that differs in case only is reported and not used:
// the engine would not find it.
package dockerfile
