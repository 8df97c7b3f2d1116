// Package inspect reads the files of a revision that decide how an app is built and run,
// and finds what is wrong with them, before anything is built.
//
// # Decisions
//
// A push, git push -o plan and dokku validate call one function, Revision, and print its
// Problems. A second reader of the same files would soon say something else than the push.
//
// Revision reads all files before it returns. A push with a mistake in its Procfile and
// another one in CHECKS names both, so that nobody pushes twice to learn of two.
//
// A mistake of the revision is told apart from one that a setting can correct (Problem.Setting):
// a revision without a Dockerfile may lack the setting that selects a builder, and a command
// that sets it needs the app.
//
// What an app lacks beside its files is no problem of Revision: variables that app.json
// requires, or web that serves now and would end. Only the server knows that. A push and a
// plan add it.
//
// A working tree is read as git would commit it (WorkingTree): git adds all files to an
// index and an object folder of their own, so .gitignore, .gitattributes, line ends, modes and
// links have git's meaning, and every check that a push makes on a tree holds for it. The
// repository stays as it is. Rejected: reading the folder itself, whose rules would be ours.
package inspect
