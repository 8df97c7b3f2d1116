// Package builds tests builders whose steps are containers (herokuish, pack), in a server of
// this process on a real engine. It kills the server at each call of the engine that a build
// makes, lets calls fail, and looks at what is left. The proxy is in memory.
//
// The engine is reached through a relay, which strikes (buildtest.Relay). The server of a
// killed build can neither call the engine nor change a file; only its memory goes on. A new
// server on the same files then recovers, as the agent or the next command does.
//
// Rejected: an engine in memory. What a killed build leaves (volumes, images of a commit that
// nobody waits for, half of an archive) is decided by the engine alone.
package builds
