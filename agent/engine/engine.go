package engine

import (
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
)

// LabelNetwork is carried by the networks that CreateNetwork made; its value is
// the network's name. Dokku gives its networks the same one.
const LabelNetwork = "com.dokku.network-name"

// LabelRoot is carried by the networks of apps: which DOKKU_ROOT the app is of. An
// engine may serve several.
const LabelRoot = "com.dokku.root"

// Kind says what a container is for; it is the value of LabelContainerType.
type Kind string

const (
	// KindDeploy is a process of the app's formation.
	KindDeploy Kind = "deploy"
	// KindRelease runs a release command once.
	KindRelease Kind = "release"
	// KindRun is a one-off container.
	KindRun Kind = "run"
)

// Spec says what to start. The zero value of an optional field means the
// image's or the engine's default.
type Spec struct {
	App     string
	Kind    Kind
	Type    string // process type: "web"
	Index   int    // 1-based: web.1
	Release int
	Attempt string // identifies one preparation of the release; never reused

	Name       string   // container's name
	Image      string   // image id
	Entrypoint []string // nil: the image's ENTRYPOINT
	// Command nil means the image's CMD, and nothing where Entrypoint is set: an
	// image's CMD belongs to its own ENTRYPOINT.
	Command []string
	Env     []string // "KEY=value"

	Address netip.Addr // fixed address on the app's network; zero: an automatic one
	Port    int        // container's TCP port; with HostPort
	// HostPort publishes Port on all addresses of the host. 0: not published.
	HostPort int

	RestartPolicy string        // "no", "always", "unless-stopped", "on-failure[:N]"
	StopTimeout   time.Duration // between TERM and KILL

	Mounts []Mount
	// Joins are the networks, by name, that the container joins beside the app's
	// own before its process starts. There it has Aliases beside its own name.
	Joins   []string
	Aliases []string
	Limits  Limits

	// TTY gives the process a terminal. Its stop signal is HUP then: an interactive
	// shell ignores TERM.
	TTY bool
	// Deadline is until when a one-off container may run; zero: no limit. Client
	// names the process that started it. The engine only keeps them.
	Deadline time.Time
	Client   string

	// Attached: the streams are the caller's; Stdin: its standard input too. RunAttached
	// sets them.
	Attached, Stdin bool
}

// Mount is a folder or file of the host, or a volume, that a container sees.
type Mount struct {
	// Source is an absolute path, which has to exist, or the name of a volume,
	// which is made when it is missing.
	Source   string
	Target   string // absolute path in the container
	ReadOnly bool
}

// Limits bound what a container may use. 0: no limit.
type Limits struct {
	Memory            int64 // bytes; a process that needs more is killed
	MemorySwap        int64 // bytes of memory and swap together, at least Memory
	MemoryReservation int64 // bytes that the container keeps when the host's memory runs short
	NanoCPUs          int64 // billionths of a CPU
}

// Status is what a container does now, in the engine's words.
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
	// Command is what its process was started as, quoted for a shell.
	Command string

	// Deadline and Client are of a one-off container, see Spec. Attached: its
	// streams are its client's.
	Deadline time.Time
	Client   string
	Attached bool

	// Address is the fixed address, also while stopped. Without a fixed one it is
	// the automatic address, while running.
	Address  netip.Addr
	HostPort int

	Status Status
	// ExitCode is of the last end, if it is known.
	ExitCode int
	// OOMKilled: the kernel killed it because its memory ran out.
	OOMKilled bool
	Restarts  int
	Created   time.Time
	Started   time.Time
	Finished  time.Time

	Limits Limits
}

// Running reports whether the container's process runs.
func (i Instance) Running() bool { return i.Status == StatusRunning }

// Network is an app's own bridge network.
type Network struct {
	ID     string
	Name   string
	App    string
	Root   string // what its maker was configured with; "" before there was such a label
	Subnet netip.Prefix
	// Automatic is the part of Subnet from which the engine hands out addresses
	// to containers that ask for none; fixed addresses are chosen outside it.
	Automatic netip.Prefix
	Gateway   netip.Addr
}

// Image is an image of an app. Whose it is, its names say: an app has the images
// that are called TagPrefix and its name. One without such a name belongs to
// the app of its label, which cannot be changed as a name can.
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
}

// ResourceKind tells Remove what an id names.
type ResourceKind string

const (
	Container   ResourceKind = "container"
	NetworkKind ResourceKind = "network"
	ImageKind   ResourceKind = "image"
)

// Resource names something to remove.
type Resource struct {
	Kind ResourceKind
	ID   string
	// App is whose image to remove: one that other apps have too loses only this
	// app's names. "" is everybody's.
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
	// Observe lists what carries the label of app; "" lists all apps. The
	// fields of an Instance are complete (they are inspected, not only listed).
	Observe(ctx context.Context, app string) (Observed, error)
	// Start creates and starts a container. A stopped container of the same
	// name, release and attempt is started again instead; a running one is
	// returned as it is. Any other container of that name is ErrNameInUse. An
	// address that a running container holds is ErrAddressInUse; a stopped one
	// holds none. On error nothing that this call made is left behind, also when
	// ctx ended meanwhile.
	Start(ctx context.Context, spec Spec) (Instance, error)
	// Stop sends the container's stop signal, waits up to grace, kills, and
	// returns once it has ended. It is not restarted by its policy afterwards.
	// A missing or stopped container is not an error.
	Stop(ctx context.Context, id string, grace time.Duration) error
	// Remove removes a container (killing it when it runs) with its anonymous
	// volumes, a network (detaching nothing: one that has containers, running or
	// not, is ErrInUse) or an image (never by force: one that a container uses
	// keeps its tags silently, and so does one that somebody tagged outside
	// TagPrefix). What is missing is not an error.
	Remove(ctx context.Context, r Resource) error
	// Instance returns the state of a container; ErrNoContainer when it is gone.
	Instance(ctx context.Context, id string) (Instance, error)
}

// Machine is what only the engine of one machine can do: names and addresses that the
// caller chooses, folders of the host, terminals, archives of images. A rollout uses
// Names and Networks where it has them, and nothing else of it.
type Machine interface {
	Names
	Networks
	Storage
	Terminal
	Inspector
	Archives
}

// Names changes the names of containers.
type Names interface {
	// Rename gives a container its final name, ErrNameInUse if another one has it.
	Rename(ctx context.Context, id, name string) error
}

// Networks keeps one bridge network for each app, and those that several join.
type Networks interface {
	// Network returns the app's network and creates it when it is missing, from
	// the first free subnet of the pool.
	Network(ctx context.Context, app string) (Network, error)
	// CreateNetwork makes a bridge network with LabelNetwork that any container
	// may join. A network of that name is ErrNetworkExists. Remove removes it.
	CreateNetwork(ctx context.Context, name string) (NetworkInfo, error)
	// AllNetworks lists all of the engine's networks, whoever made them, sorted by
	// name.
	AllNetworks(ctx context.Context) ([]NetworkInfo, error)
}

// NetworkInfo is a network of the engine, whoever made it.
type NetworkInfo struct {
	ID       string
	Name     string
	Driver   string
	Scope    string
	Internal bool
	App      string // not empty: the app's own
	Managed  bool   // made by CreateNetwork
	Labels   map[string]string
	Created  time.Time
}

// Storage prepares folders of the host for mounts.
type Storage interface {
	// Chown makes the folder dir/name when it is missing, in dir, which has to
	// exist, and gives it, and nothing in it, to a user and the group of the same number, with mode 0755. The
	// engine has the rights for that where its caller has not. Nothing may call it
	// twice at the same time for one dir.
	Chown(ctx context.Context, dir, name string, uid int) error
}

// LogOptions selects lines of a container's log.
type LogOptions struct {
	Tail       int // last N lines; 0: all
	Follow     bool
	Timestamps bool // RFC 3339, before each line
}

// MaxExecOutput bounds what Exec returns, in bytes; the rest is read and dropped.
const MaxExecOutput = 256 << 10

// Prober looks into containers: the gate and commands that run once need it.
type Prober interface {
	// Logs copies stdout and stderr of a container, in order, to w. With Follow
	// it returns when the container ends (a restart ends it too) or ctx is done.
	Logs(ctx context.Context, id string, o LogOptions, w io.Writer) error
	// Wait waits for the container's end and returns its last state. If it is
	// removed meanwhile, that state has only the id and the exit code.
	Wait(ctx context.Context, id string) (Instance, error)
	// Exec runs argv in a running container and returns its stdout and stderr,
	// at most MaxExecOutput bytes, and its exit code.
	Exec(ctx context.Context, id string, argv []string) (output []byte, exit int, err error)
	// ListeningPorts returns the TCP ports, ascending, on which the container
	// listens on any address but loopback.
	ListeningPorts(ctx context.Context, id string) ([]int, error)
}

// ImageInfo is what a deploy needs to know of an image.
type ImageInfo struct {
	ID         string
	Ports      []int // exposed TCP ports, ascending
	Entrypoint []string
	Command    []string
	Size       int64 // in bytes, of all layers
}

// TagPrefix is what the names of all images begin with that a deploy made.
// Remove takes only such names away from an image.
const TagPrefix = "dokku/"

// Images looks images up.
type Images interface {
	// Image inspects an image by id or tag. A missing one is ErrNoImage.
	Image(ctx context.Context, ref string) (ImageInfo, error)
	// Tag gives an image another name.
	Tag(ctx context.Context, id, tag string) error
}

// Archives carries images from one engine to another.
type Archives interface {
	// Save writes images, by id, so that Load of this or another engine of the same
	// kind makes them again with the same ids. Their names stay behind. One that is
	// missing is ErrNoImage, and nothing is written then.
	Save(ctx context.Context, ids []string, w io.Writer) error
	// Load makes the images that Save wrote; those that exist stay as they are.
	Load(ctx context.Context, r io.Reader) error
}

// Event is a change of a labelled container that the agent did not ask for
// or at least has to look at.
type Event struct {
	App    string // "" where the whole engine is meant (it came back)
	ID     string
	Action Action
}

// Action is what happened to a container, in the engine's words.
type Action string

const (
	ActionConnected Action = "connected"
	ActionCreate    Action = "create"
	ActionStart     Action = "start"
	ActionDie       Action = "die"
	ActionOOM       Action = "oom"
	ActionDestroy   Action = "destroy"
)

// Watcher follows the engine.
type Watcher interface {
	// Watch sends events until ctx is done, whose error it returns, reconnecting
	// with back-off. The first event, and the first one after each reconnection
	// and after each gap, is "connected": look at everything.
	Watch(ctx context.Context, events chan<- Event) error
}

// Host is all that one machine's engine can do.
type Host interface {
	Engine
	Machine
	Watcher
}
