// Package contract has the calls that clients of Dokku make, and what they read of the
// answers: a file for each client, clients/NAME.txt, written from the client's source. Its
// test makes the calls in the file's order on a server without an engine and without nginx.
//
// A file begins with the lines "client NAME ADDRESS VERSION" and "reads FORM", the form of
// answers that the client reads (see forms in contract_test.go). Then come
//
//	@ apps.go CreateApp      the client's file and function that makes the next calls
//	$ apps:create web        a call that ends with 0; words may be quoted
//	$1 apps:create web       a call that ends with 1
//	< text                   standard input of the next call
//	  says Name is taken     what the answer contains, with all blanks as one space
//	  lacks Name             what it does not contain
//	  is some text           the whole answer, trimmed
//	  row Deployed = false   a row of a report, as the client reads it
//	  norow Origin           a row that the client would not know
//	  json a.b = value       a value of a JSON answer; numbers of a list count from 0
//	  list a b c             the lines after the headings that the client skips
//
// # Decisions
//
//   - A change is proved by a second call that reads it, the client's own where it has one.
//   - A call that is refused here stands in the file with the message that the client shows:
//     whoever changes the message sees which client's users read it.
//   - Calls that need an engine (ps:restart of a deployed app, network:create) are made on
//     apps without a release or end with the engine's error; end-to-end tests have the others.
//   - The files have facts of the clients, names and forms, and no code.
package contract
