package deploy

// Op is an operation on an app under its lock.
type Op struct {
	// Name is what messages and the lock's file call it: "ps:scale".
	Name    string
	Changes Changes
}

// Changes says how far an operation on settings reaches.
type Changes int

const (
	// ChangesSettings: the change is stored, and needs neither engine nor proxy.
	ChangesSettings Changes = iota
	// ChangesRoute: the proxy has to accept the change.
	ChangesRoute
	// ChangesNames: like ChangesRoute, and no two apps may have the same name.
	ChangesNames
	// ChangesExistence: the app goes away.
	ChangesExistence
)
