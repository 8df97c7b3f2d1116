package engine

import (
	"cmp"
	"context"
	"io"
	"net/netip"
	"time"
)

// Labels that every container, network and image of an app carries. The names
// com.dokku.* are Dokku's own, so that scripts which filter on them keep
// working; release and attempt are ours. All of them are set on every
// container, empty where they do not apply, because a container inherits the
// labels of its image: an image must not be able to claim another app.
const (
	LabelApp           = "com.dokku.app-name"
	LabelContainerType = "com.dokku.container-type"
	LabelProcessType   = "com.dokku.process-type"
	LabelDyno          = "com.dokku.dyno"
	LabelRelease       = "com.dokku.release"
	LabelAttempt       = "com.dokku.attempt"
	// Of one-off containers: until when it may run (RFC 3339), the process that
	// started it, and whether it ends with that process.
	LabelDeadline = "com.dokku.deadline"
	LabelClient   = "com.dokku.client"
	LabelAttached = "com.dokku.attached"
	// Of cron containers: Dokku's id of the task and its concurrency policy, and the run
	// (see app.CronRun).
	LabelCronID     = "com.dokku.cron-id"
	LabelCronPolicy = "com.dokku.concurrency-policy"
	LabelCronRun    = "com.dokku.cron-run"
	// LabelTTL is the time to live of a one-off container in seconds, as Dokku has it.
	LabelTTL = "com.dokku.active-deadline-seconds"
	// LabelRestartPolicy is the restart policy that a container was made with. It is no
	// part of the container's identity.
	LabelRestartPolicy = "com.dokku.restart-policy"
	// LabelFiltered is "true" for a container that is Spec.Filtered.
	LabelFiltered = "com.dokku.filtered"
)

// OwnLabels begin the names of all labels of ours, in lower case.
const OwnLabels = "com.dokku."

// LabelNetwork is the label of networks made by CreateNetwork; its value is the
// network's name. Dokku gives its networks the same one.
const LabelNetwork = "com.dokku.network-name"

// LabelRoot is the label of apps' networks that names the DOKKU_ROOT of the app: one
// engine may serve several.
const LabelRoot = "com.dokku.root"

// Status is the state of a container, in the engine's words.
type Status string

const (
	StatusCreated    Status = "created"
	StatusRunning    Status = "running"
	StatusRestarting Status = "restarting"
	StatusPaused     Status = "paused"
	StatusExited     Status = "exited"
	StatusRemoving   Status = "removing"
	StatusDead       Status = "dead"
)

// Instance is a container as the engine reports it.
type Instance struct {
	ID      string
	Name    string // without the leading slash
	App     string
	Kind    Kind
	Type    string
	Index   int
	Release int
	Attempt string
	Image   string // image id
	// Command is the command line of its process, quoted for a shell.
	Command string

	// Deadline and Client are of a one-off container, see Spec. Attached: its
	// streams are its client's.
	Deadline time.Time
	Client   string
	Attached bool
	// CronRun is the run of a cron container.
	CronRun string

	// Address is the fixed address, also while stopped. Without a fixed one it is
	// the automatic address, while running.
	Address  netip.Addr
	HostPort int

	// Of a process that a swarm has placed (see Placement), else zero: the group that it
	// belongs to, the host name of its node, and the node's port that leads to its own. Its
	// Address is its node's, while the node runs it.
	Group    string
	Node     string
	NodePort int
	// Trouble is why the swarm cannot run it now, as far as it says; "" if it runs.
	Trouble string
	// Secure: the port speaks TLS, by the certificates of package node.
	Secure bool

	Status Status
	// ExitCode is of the last end, if it is known.
	ExitCode int
	// OOMKilled: the kernel killed it because its memory ran out. An engine that learns of
	// the end before it learns of the cause never sets it: with ExitCode 137 it is likely.
	OOMKilled bool
	// Policy is the restart policy; zero in a container of an older version.
	Policy RestartPolicy
	// Restarts counts the restarts by the policy since the last Start or ForgetRestarts.
	Restarts int
	// StaleLimit: the engine allows more restarts than Policy does, since it has started
	// the container by itself and forgotten its own count. ForgetRestarts mends that.
	StaleLimit bool
	// Unhealthy is the last output of the image's HEALTHCHECK, or "no output", while it
	// fails; "" else.
	Unhealthy string
	Created   time.Time
	Started   time.Time
	Finished  time.Time

	Limits Limits
}

// Running reports whether the container's process runs.
func (i Instance) Running() bool { return i.Status == StatusRunning }

// Network is an app's own network: its bridge, or its overlay (see OverlayName).
type Network struct {
	ID      string
	Name    string
	Overlay bool
	App     string
	Root    string // value of LabelRoot; "" for networks older than that label
	Subnet  netip.Prefix
	// Automatic is the part of Subnet from which the engine hands out addresses
	// to containers that ask for none. Fixed addresses lie outside it.
	Automatic netip.Prefix
	Gateway   netip.Addr
}

// Image is an image of an app. An app owns the images whose names begin with TagPrefix
// and its own name. An image without such a name belongs to the app of its label; a
// label cannot change as names can.
type Image struct {
	ID   string
	App  string // the app that was asked for; one of several when none was
	Tags []string
}

// Observed is everything that carries the label of one app (or of all apps).
type Observed struct {
	Instances []Instance // sorted by name
	Networks  []Network
	Images    []Image
	// Taken are the names of images that Dokku made for an app of the same name. They are
	// not among Images.
	Taken []string
	// Unseen says why processes that a swarm has placed may be missing from Instances, such
	// as ErrNoQuorum; nil: none are. Who is responsible for such processes must not act.
	Unseen error
}

// ResourceKind is the kind of a Resource.
type ResourceKind string

const (
	Container   ResourceKind = "container"
	NetworkKind ResourceKind = "network"
	ImageKind   ResourceKind = "image"
	VolumeKind  ResourceKind = "volume"
)

// Resource names something to remove.
type Resource struct {
	Kind ResourceKind
	ID   string
	// App limits the removal of an image: an image that other apps own too loses only
	// the names of this app. "" removes the names of all apps.
	App string
}

// Engine is all that a rollout asks of the software that runs processes: one machine's
// engine or a cluster's. Every implementation passes the suite in enginetest. All
// methods are safe for concurrent use, honour ctx and are idempotent: a call that has
// nothing left to do is not an error.
type Engine interface {
	Processes
	Prober
	Images
}

// Processes starts and ends processes.
type Processes interface {
	// Observe lists the containers, networks and images with the label of app; ""
	// lists those of all apps. All fields of an Instance are filled in.
	Observe(ctx context.Context, app string) (Observed, error)
	// Start creates and starts a container. A stopped container of the same
	// name, release and attempt is started again instead; a running one is
	// returned as it is. Any other container of that name is ErrNameInUse. An
	// address that a running container holds is ErrAddressInUse; a stopped one
	// holds none. On error nothing that this call made is left behind, also when
	// ctx ended during the call.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// Stop sends the container's stop signal, waits up to grace, kills, and
	// returns once it has ended. It is not restarted by its policy afterwards.
	// A missing or stopped container is not an error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Remove removes a container (killing it when it runs) with its anonymous
	// volumes, a network (detaching nothing: one that has containers, running or
	// not, is ErrInUse), a named volume with its data (one that a container has is
	// ErrInUse) or an image (never by force: one that a container uses
	// keeps its tags silently, and one that has a name outside TagPrefix stays with that).
	// A missing resource is not an error.
	Remove(ctx context.Context, r Resource) error
	// Instance returns the state of a container; ErrNoContainer when it is gone.
	Instance(ctx context.Context, id string) (Instance, error)
}

// Machine is what only the engine of one machine can do: names and addresses that the
// caller chooses, folders of the host, terminals, archives of images. A rollout uses
// Names and Networks where it has them, and nothing else of it.
type Machine interface {
	Names
	Restarts
	Networks
	Caches
	Storage
	Terminal
	Inspector
	Archives
	Registries
}

// Names changes the names of containers.
type Names interface {
	// Rename gives a container its final name, ErrNameInUse if another one has it.
	Rename(ctx context.Context, id, name string) error
}

// Restarts counts the restarts of containers by their policies.
type Restarts interface {
	// ForgetRestarts makes a container's count of restarts zero, so that a policy with a
	// limit allows the full number again. The process goes on. A missing container is not
	// an error.
	ForgetRestarts(ctx context.Context, id string) error
}

// Networks keeps one bridge network for each app, and those that several join.
type Networks interface {
	// Network returns the app's network and creates it when it is missing, from
	// the first free subnet of the pool.
	Network(ctx context.Context, app string) (Network, error)
	// CreateNetwork makes a bridge network with LabelNetwork that any container
	// may join. A network of that name is ErrNetworkExists. Remove removes it.
	CreateNetwork(ctx context.Context, name string) (NetworkInfo, error)
	// AllNetworks lists all networks of the engine, also those of other programs,
	// sorted by name.
	AllNetworks(ctx context.Context) ([]NetworkInfo, error)
	// JoinOverlay has a container that runs here join the overlay of its owner, which is made
	// when it is missing: there, processes that a swarm has placed reach it by the names. ""
	// as the id only makes the overlay. To have joined is no error. ErrNoCluster,
	// ErrNoContainer.
	JoinOverlay(ctx context.Context, owner, id string, names []string) (network string, err error)
	// Members lists the addresses of the containers that run, on each of their networks, also
	// those of other programs.
	Members(ctx context.Context) ([]Member, error)
}

// Member is a container on one of its networks.
type Member struct {
	Network  string // its name
	App      string // "": of another program
	Filtered bool   // see Spec.Filtered
	Build    bool   // it runs a phase of a build
	OneOff   bool   // it runs a command of dokku run, or a cron task
	// Addresses are those of IPv4 and IPv6 that it has there.
	Addresses []netip.Addr
}

// NetworkInfo is any network of the engine, also one of another program.
type NetworkInfo struct {
	ID       string
	Name     string
	Driver   string
	Scope    string
	Internal bool
	IPv6     bool
	App      string // not empty: the app's own
	Managed  bool   // made by CreateNetwork
	Bridge   string // the host's interface; "": it has none
	Labels   map[string]string
	Created  time.Time
}

// Storage prepares folders of the host for mounts.
type Storage interface {
	// Chown creates the folder dir/name if it is missing, and gives it to a user and
	// the group of the same number, with mode 0755. The contents keep their owners.
	// dir has to exist. The engine has the rights for that even where its caller has
	// not. Calls for one dir must not overlap.
	Chown(ctx context.Context, dir, name string, uid int) error
	// ReadFiles writes a tar of all that is in source, a folder of the host or a volume,
	// with owners and modes. ErrNoSource if it is missing. Of a file that changes meanwhile
	// it may have a part; archives that the engine had to break off lack the two empty
	// blocks at their end. Calls for one source must not overlap.
	ReadFiles(ctx context.Context, source string, w io.Writer) error
	// WriteFiles unpacks a tar of ReadFiles into source. A volume that is missing is made.
	// Other files there stay. On error some of it may be there.
	WriteFiles(ctx context.Context, source string, r io.Reader) error
}

// LogOptions selects lines of a container's log.
type LogOptions struct {
	Tail       int // last N lines; 0: all
	Follow     bool
	Timestamps bool // RFC 3339, before each line
}

// MaxExecOutput is the most that Exec returns, in bytes; it reads and drops the rest.
const MaxExecOutput = 256 << 10

// Prober looks into containers: the gate and commands that run once need it.
type Prober interface {
	// Logs copies stdout and stderr of a container, in order, to w. With Follow
	// it returns when the container ends (a restart ends it too) or ctx is done.
	Logs(ctx context.Context, id string, o LogOptions, w io.Writer) error
	// Wait waits for the container's end and returns its last state. The state of a
	// container that was removed during the wait has only the id and the exit code.
	Wait(ctx context.Context, id string) (Instance, error)
	// Exec runs argv in a running container and returns its stdout and stderr,
	// at most MaxExecOutput bytes, and its exit code.
	Exec(ctx context.Context, id string, argv []string) (output []byte, exit int, err error)
	// Listening returns the addresses and TCP ports on which the container listens, on
	// loopback too, sorted by port and address.
	Listening(ctx context.Context, id string) ([]netip.AddrPort, error)
}

// ByPort orders sockets as Listening returns them.
func ByPort(a, b netip.AddrPort) int {
	return cmp.Or(cmp.Compare(a.Port(), b.Port()), a.Addr().Compare(b.Addr()))
}

// Event is a change of a labelled container. The agent has to look at it, even if it
// caused the change itself.
type Event struct {
	App    string // "" for the whole engine (it came back)
	ID     string
	Action Action
	At     time.Time
	// ExitCode is of a die.
	ExitCode int
	// Placed: a swarm has placed the process.
	Placed bool
}

// Action is the kind of an Event, in the engine's words.
type Action string

const (
	ActionConnected Action = "connected"
	ActionCreate    Action = "create"
	ActionStart     Action = "start"
	ActionDie       Action = "die"
	ActionOOM       Action = "oom"
	ActionDestroy   Action = "destroy"
	// ActionMove: a process that a swarm has placed is lost, is found again, or is on its way
	// to another node.
	ActionMove Action = "move"
)

// Watcher follows the engine.
type Watcher interface {
	// Watch sends events until ctx ends and returns ctx's error. It reconnects with
	// back-off. The first event, and the first one after each reconnection and each
	// gap, is "connected": look at everything.
	Watch(ctx context.Context, events chan<- Event) error
}

// Host is the whole engine of a single server.
type Host interface {
	Engine
	Machine
	Watcher
	Clusters
	NodeServices
}
