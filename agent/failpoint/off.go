//go:build !failpoints

package failpoint

// Reach does nothing; with -tags failpoints it is a moment at which a test can
// strike, and returns the error that the test asks for.
func Reach(Name) error { return nil }

// Count does nothing; with -tags failpoints it is Reach before a change of a file
// ("file"), a call of the engine ("engine") or a step of git ("git").
func Count(kind, what string) error { return nil }
