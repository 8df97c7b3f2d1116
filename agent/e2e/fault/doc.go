// Package fault disturbs the built program: it kills processes, breaks the connection to
// the engine, and strikes at failpoints (see package failpoint).
//
// # The matrix
//
// A Matrix combines the operations of agenttest's table with faults, at the points that
// an undisturbed run has reached. After each fault, the agent, a command or the next push
// recovers. Then the app has to be at rest, the operation has to be done or undone, and
// its exit code and output have to say which.
//
// # Faults of the engine
//
// All labs use the machine's engine, so a fault may not stop it. A relay stands between
// the lab and the engine's socket, and fails for this lab alone.
package fault
