package engine

import (
	"errors"
	"fmt"
)

// Errors that callers of an engine tell apart with errors.Is. The errors that wrap
// them name the thing and the value.
var (
	// ErrUnreachable: the engine does not answer at all. If the connection broke
	// during a call, the call may or may not have taken effect.
	ErrUnreachable = errors.New("the engine cannot be reached")
	// ErrAddressInUse: another running container, or the gateway, holds the
	// address on the app's network. Choose another one.
	ErrAddressInUse = errors.New("the address is already in use on the app's network")
	// ErrPortInUse: something on the host listens on the host port.
	ErrPortInUse = errors.New("the host port is already in use")
	// ErrNameInUse: another container has the name.
	ErrNameInUse = errors.New("the container name is already in use")
	// ErrNoImage: the image is not on this engine.
	ErrNoImage = errors.New("no such image")
	// ErrNoContainer: the container is not, or no longer, on this engine.
	ErrNoContainer = errors.New("no such container")
	// ErrNoNetwork: the app's network has to be made first, with Network.
	ErrNoNetwork = errors.New("the app has no network yet")
	// ErrNoJoin: a network that the container is to join does not exist.
	ErrNoJoin = errors.New("no such network")
	// ErrNoSource: the folder or the volume does not exist.
	ErrNoSource = errors.New("it does not exist")
	// ErrNetworkExists: another network has the name.
	ErrNetworkExists = errors.New("the network exists already")
	// ErrNoCommand: the image does not have the command, or may not run it.
	ErrNoCommand = errors.New("does the image have that command?")
	// ErrNotRunning: the call needs a container whose process runs.
	ErrNotRunning = errors.New("the container is not running")
	// ErrInUse: the network or volume still has containers, running or not.
	ErrInUse = errors.New("containers still have it")
	// ErrNoSubnet: the pool has no subnet left that is free on this host.
	ErrNoSubnet = errors.New("no free subnet")
)

// NoJoin returns an ErrNoJoin that names the network and the fix.
func NoJoin(name string) error {
	return fmt.Errorf("%w (%s): make it with network:create, or leave it with network:set", ErrNoJoin, name)
}

// Title names the process of a Spec as error messages do.
func (s Spec) Title() string {
	switch s.Kind {
	case KindRelease:
		return "the release command of app " + s.App
	case KindRun:
		return "a one-off container of app " + s.App
	case KindCron:
		return "a cron task of app " + s.App
	case KindService:
		return "the container " + s.Name
	}
	return fmt.Sprintf("%s of app %s", s.dyno(), s.App)
}
