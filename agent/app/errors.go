package app

import "fmt"

// NoAppError says that an app does not exist. Dokku exits with 20.
type NoAppError struct{ App string }

func (e *NoAppError) Error() string { return fmt.Sprintf("App %s does not exist", e.App) }

// ExitCode is the exit status of a command that fails with this error.
func (e *NoAppError) ExitCode() int { return 20 }

// DestroyingError says that an apps:destroy of the app was begun and not finished.
type DestroyingError struct{ App string }

func (e *DestroyingError) Error() string {
	return fmt.Sprintf("App %s is being destroyed; to finish: dokku apps:destroy %[1]s --force", e.App)
}

// NotDeployedError says that an app exists but has never been deployed.
type NotDeployedError struct{ App string }

func (e *NotDeployedError) Error() string { return fmt.Sprintf("App %s has not been deployed", e.App) }

// OwnedError says that another app has a domain or a port of the host. Its text names that app, of
// which not everybody may know.
type OwnedError struct {
	App, For string // who has it, and who was to get it
	Domain   string // "": it is a port
	Text     string
}

func (e *OwnedError) Error() string { return e.Text }
