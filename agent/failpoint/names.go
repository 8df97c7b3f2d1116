// Package failpoint names the moments of an operation at which tests make the
// program fail.
//
// It imports nothing of this module. In a normal build Reach and Count are empty
// functions, and the compiler drops their calls. A build with -tags failpoints reads the
// plan from $DOKKU_ROOT/.dokku/failpoints/plan. It is a file because neither sshd nor
// git passes a test's variables to a hook. A line of the plan is a point and an action:
//
//	pre-receive/tree-validated#1 kill
//
// A point is the process ("pre-receive", "post-receive", "shell" or the name of a
// command), a moment, and its occurrence number. Every process appends the points that
// it reaches to the file reached, each as a line that begins with its process id. The
// first process at the plan's point claims it by creating the file struck, so that
// an action happens once. Actions:
//
//	kill      SIGKILL of the process itself
//	hold      wait until the plan is removed, for a minute at most
//	error     Reach returns an error
//	full, io  every file that the process changes from here on fails with ENOSPC or EIO
//	timeout   the next call of the engine ends with a deadline, without an effect
//	lost      the next call of the engine takes effect, and its answer is lost
//
// Every change of a file, call of the engine and step of git is a moment too: "file:
// rename state.json", "engine: Start web.1", "git: read a ref". "any" counts all of
// these together: "ps:scale/any#17" is the seventeenth.
package failpoint

// Name is a moment of an operation.
type Name string

// The points, in the order of a push, and those of other operations after them.
const (
	// CommandParsed: the client's or the administrator's command is well formed.
	CommandParsed Name = "command-parsed"
	// GitStarts: the wrapper is about to start git receive-pack.
	GitStarts Name = "git-starts"
	// PackReceived: git has the pack in its quarantine and calls pre-receive.
	PackReceived Name = "pack-received"
	// RefsParsed: the pushed refs and commits are known.
	RefsParsed Name = "refs-parsed"
	// LockAsked: about to wait for the app's lock.
	LockAsked Name = "lock-asked"
	// LockTaken: the lock is taken, nothing was read under it.
	LockTaken Name = "lock-taken"
	// TreeValidated: the pushed tree may be deployed.
	TreeValidated Name = "tree-validated"
	// FilesRead: the control files of the tree are read.
	FilesRead Name = "files-read"
	// BuildStarted: the engine is about to be asked to build.
	BuildStarted Name = "build-started"
	// ImageKnown: the image is built and has the app's name.
	ImageKnown Name = "image-known"
	// NetworkMade: the app's network was made, or found.
	NetworkMade Name = "network-made"
	// ReleaseCommandRun: the release command has ended well.
	ReleaseCommandRun Name = "release-command-run"
	// ContainerCreated: a container is made and not started.
	ContainerCreated Name = "container-created"
	// ContainerStarted: a container was started; nothing is recorded yet.
	ContainerStarted Name = "container-started"
	// CheckAttempt: a process is about to be probed.
	CheckAttempt Name = "check-attempt"
	// AllHealthy: all new processes have passed.
	AllHealthy Name = "all-healthy"
	// ProxyStaged: nginx has accepted the new configuration in a test.
	ProxyStaged Name = "proxy-staged"
	// ReleaseWritten: the release's file is written, nothing names it yet.
	ReleaseWritten Name = "release-written"
	// StagedWritten: the staged record is written.
	StagedWritten Name = "staged-written"
	// HookExits: pre-receive or post-receive is done and about to exit.
	HookExits Name = "hook-exits"
	// RefMoved: git has moved the ref and calls post-receive.
	RefMoved Name = "ref-moved"
	// GitEnded: git receive-pack and its hooks have ended.
	GitEnded Name = "git-ended"
	// CommitBegins: the state is about to be replaced.
	CommitBegins Name = "commit-begins"
	// CurrentWritten: the state is replaced.
	CurrentWritten Name = "current-written"
	// ProxyRenamed: nginx's new files are live, and nginx does not know.
	ProxyRenamed Name = "proxy-renamed"
	// ProxyReloaded: nginx was told, and may not serve the new files yet.
	ProxyReloaded Name = "proxy-reloaded"
	// ProxyProven: nginx serves the new files alone.
	ProxyProven Name = "proxy-proven"
	// Published: the former processes are about to be retired.
	Published Name = "published"
	// OldRetired: an old container was stopped and removed.
	OldRetired Name = "old-retired"
	// Cleaned: nothing is left to do about the app.
	Cleaned Name = "cleaned"

	// UndoBegins: an attempt failed, and its containers are about to be removed.
	UndoBegins Name = "undo-begins"
	// AppMade: a new app is complete and has not appeared yet.
	AppMade Name = "app-made"
	// RouteWithdrawn: the proxy no longer leads to an app that is destroyed.
	RouteWithdrawn Name = "route-withdrawn"
	// ResourcesRemoved: the engine has nothing left of an app that is destroyed.
	ResourcesRemoved Name = "resources-removed"
	// FolderMoved: the folder of an app that is destroyed is in the trash.
	FolderMoved Name = "folder-moved"
	// NameCommitted: the app's folder has its new name.
	NameCommitted Name = "name-committed"
)
