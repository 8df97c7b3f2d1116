package services

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/engine"
	"dokku/agent/event"
	"dokku/agent/store"
)

// A Service is the record of one: the content of its service.json, which one rename
// replaces. It has secrets; its mode is 0600.
type Service struct {
	Version int       `json:"version"`
	Kind    string    `json:"kind"`
	Name    string    `json:"name"`
	Created time.Time `json:"created_at"`
	// Phase is what an operation that was not finished has begun: see the phases.
	Phase Phase `json:"phase,omitempty"`

	Database     string `json:"database"`
	Password     string `json:"password,omitempty"`
	RootPassword string `json:"root_password,omitempty"`

	Container Container `json:"container"`
	// Former is set while another container takes its place. Only a new one that was ready
	// stays; else the former one comes back.
	Former *Container `json:"former,omitempty"`
	// Next is set while the data are copied for an upgrade. Container is the present one then.
	Next *Container `json:"next,omitempty"`
	// Previous is what the last upgrade with a copy, or the way back from it, has replaced.
	Previous *Previous `json:"previous,omitempty"`
	// Unneeded are containers that the service had, and whose volumes are to be removed.
	Unneeded []Container `json:"unneeded,omitempty"`
	// Properties are those of SERVICE:set. The next container gets them.
	Properties map[string]string `json:"properties,omitempty"`
	// Stopped: it was stopped or paused.
	Stopped bool `json:"stopped,omitempty"`
	// Waiting are the apps that were stopped for an upgrade, and start again after it.
	Waiting []string `json:"waiting,omitempty"`
	// Importing is when an import began that has not ended well, and that may have changed a
	// part of the data.
	Importing time.Time `json:"importing,omitzero"`
}

// Phase is a state between the existence of a service and its absence.
type Phase string

const (
	Ready      Phase = ""
	Creating   Phase = "creating"   // it was never ready; what there is of it is removed
	Destroying Phase = "destroying" // what is left of it is removed
	Kept       Phase = "kept"       // destroyed, except for its data and secrets
)

// Container is how a service runs.
type Container struct {
	// Attempt tells it from the service's other containers.
	Attempt string   `json:"attempt"`
	Image   string   `json:"image"`         // by name: "postgres:18.4"
	Env     []string `json:"env,omitempty"` // of --custom-env: "NAME=value"
	Options string   `json:"options,omitempty"`
	Memory  int      `json:"memory,omitempty"`   // megabytes
	ShmSize int64    `json:"shm_size,omitempty"` // bytes
	// Restricted: unless Kind.Unrestricted. Services of older versions are not, until Isolate.
	Restricted bool `json:"restricted,omitempty"`
	// Volume is the name of its first volume; see Kind.volumes.
	Volume string `json:"volume,omitempty"`
	// Ports are the addresses of the host at which it is reached: "5432" or "127.0.0.1:5432",
	// in the order of the kind's ports.
	Ports    []string `json:"ports,omitempty"`
	Networks []string `json:"networks,omitempty"`
}

// Previous is a container that the service had, whose data are kept.
type Previous struct {
	Container Container `json:"container"`
	Since     time.Time `json:"since"` // what was written later is not in these data
}

// A Ref names a service.
type Ref struct {
	Kind string `json:"kind"`
	Name string `json:"name"`
}

func (s *Service) Ref() Ref { return Ref{s.Kind, s.Name} }

// Link is the service as an app's state names it.
func (r Ref) Link() app.Link { return app.Link{Kind: r.Kind, Name: r.Name} }

func (r Ref) String() string { return r.Kind + " " + r.Name }

// Owner is the service's name as the owner of containers and of a network. No app can have
// such a name.
func (r Ref) Owner() string { return r.Link().Owner() }

// ContainerName is the name of the service's container, as Dokku's plugins have it.
func (r Ref) ContainerName() string { return "dokku." + r.Kind + "." + r.Name }

// Host is the service's name in its network.
func (r Ref) Host() string {
	return strings.NewReplacer(".", "-", "_", "-").Replace(r.ContainerName())
}

var namePattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// ValidName returns an error unless a service may have the name.
func ValidName(name string) error {
	if !namePattern.MatchString(name) || strings.HasPrefix(name, "-") {
		//lint:ignore ST1005 the text is that of Dokku's plugins
		return fmt.Errorf("Please specify a valid name for the service. Valid characters are: [A-Za-z0-9_-]+, 40 at most (%q)", event.OneLine(name))
	}
	return nil
}

// NoServiceError says that there is no such service.
type NoServiceError struct{ Title, Name string }

func (e *NoServiceError) Error() string {
	return fmt.Sprintf("%s service %s does not exist", e.Title, event.OneLine(e.Name))
}

func (m *Manager) dir(r Ref) string  { return m.Store.Own("services", r.Kind, r.Name) }
func (m *Manager) file(r Ref) string { return filepath.Join(m.dir(r), "service.json") }

// ConfigDir is the folder of the service's files of configuration.
func (m *Manager) ConfigDir(r Ref) string { return filepath.Join(m.dir(r), "config") }

// Root is the folder of the service's files.
func (m *Manager) Root(r Ref) string { return m.dir(r) }

// Load reads a service. It fails with *NoServiceError if there is none, or if it is not
// ready yet or no longer.
func (m *Manager) Load(k Kind, name string) (*Service, error) {
	none := &NoServiceError{k.Title, name}
	if !namePattern.MatchString(name) {
		return nil, none
	}
	s, err := m.record(Ref{k.Name, name})
	if errors.Is(err, fs.ErrNotExist) || err == nil && s.Phase != Ready {
		return nil, none
	}
	return s, err
}

// Volume is the volume with the data of a service, or the data that destroy has kept; ""
// for a kind without data.
func (m *Manager) Volume(k Kind, name string) (string, error) {
	s, err := m.Load(k, name)
	if none := new(NoServiceError); errors.As(err, &none) {
		if kept, kerr := m.record(Ref{k.Name, name}); namePattern.MatchString(name) && kerr == nil && kept.Phase == Kept {
			return kept.Container.Volume, nil
		}
	}
	if err != nil {
		return "", err
	}
	return s.Container.Volume, nil
}

// Former is what a service has kept of before its last upgrade by a copy, also once destroy has
// kept its data; nil: nothing.
func (m *Manager) Former(k Kind, name string) *Previous {
	s, err := m.record(Ref{k.Name, name})
	if err != nil || s.Phase != Ready && s.Phase != Kept {
		return nil
	}
	return s.Previous
}

// record reads a record in any phase.
func (m *Manager) record(r Ref) (*Service, error) {
	s := &Service{}
	err := store.ReadJSON(m.file(r), s)
	return s, err
}

func (m *Manager) save(s *Service) error {
	s.Version = app.Version
	return m.Store.WriteJSON(m.file(s.Ref()), s)
}

// List returns the services of a kind that can be used, sorted by name.
func (m *Manager) List(k Kind) (list []*Service, err error) {
	names, err := folders(m.Store.Own("services", k.Name))
	for _, name := range names {
		s, err := m.Load(k, name)
		if none := new(NoServiceError); errors.As(err, &none) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, err
}

// All names the services of all kinds in all phases.
func (m *Manager) All() (list []Ref, err error) {
	kinds, err := folders(m.Store.Own("services"))
	for _, kind := range kinds {
		names, err := folders(m.Store.Own("services", kind))
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			list = append(list, Ref{kind, name})
		}
	}
	return list, err
}

// folders lists the folders in a folder, sorted; none if that does not exist.
func folders(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, err
}

// secret returns n random bytes in hex; "" for none.
func secret(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	return hex.EncodeToString(b)
}

// volumes returns the volumes of a container with the folders that they keep.
func (k Kind) volumes(c Container) (list []engine.Mount) {
	if c.Volume == "" {
		return nil
	}
	for n, dir := range k.folders(c.Image) {
		name := c.Volume
		if n > 0 {
			name = fmt.Sprintf("%s.%d", c.Volume, n)
		}
		list = append(list, engine.Mount{Source: name, Target: dir})
	}
	return list
}

// lock takes the lock of a service.
func (m *Manager) lock(ctx context.Context, r Ref, step string, log event.Log) (*store.Lock, error) {
	return m.Store.LockApp(ctx, r.Owner(), step, log)
}
