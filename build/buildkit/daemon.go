package buildkit

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strings"
	"time"

	control "github.com/moby/buildkit/api/services/control"
	"github.com/moby/buildkit/identity"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/grpchijack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"dokku/build/daemon"
)

const (
	// daemonWait is how long a daemon may take to answer: it may be starting.
	daemonWait = 30 * time.Second
	// statusWait is how long the last lines of a build may come after its end.
	statusWait = 5 * time.Second
	// argNamespace names the caches of steps (--mount=type=cache) of one app.
	argNamespace = "BUILDKIT_CACHE_MOUNT_NS"
	// imageConfig is the answer's key for the image's id.
	imageConfig = "containerimage.config.digest"
)

// daemonSolver is the server's own BuildKit.
type daemonSolver struct {
	conn    *grpc.ClientConn
	control control.ControlClient
	// namespace is the app's: see namespaceOf.
	namespace string
	load      *loader
	images    *localImages
	// release tells the daemon that the build has ended.
	release func()
}

// newDaemon connects to the BuildKit at a socket. It fails if that does not answer.
func newDaemon(ctx context.Context, r job) (*daemonSolver, error) {
	socket := r.config.Daemon
	namespace, err := namespaceOf(r.Request)
	if err != nil {
		return nil, err
	}
	if socket == "" {
		return nil, noDaemon(r.App, errors.New("this server has none"))
	}
	release, err := daemon.Building(socket)
	if err != nil {
		return nil, noDaemon(r.App, err)
	}
	conn, err := dialDaemon(socket)
	if err != nil {
		release()
		return nil, noDaemon(r.App, err)
	}
	d := &daemonSolver{conn: conn, control: control.NewControlClient(conn), namespace: namespace, load: &loader{engine: r.client}, release: release}
	if d.images, err = exportImages(ctx, r.client, r); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

// dialDaemon connects to a daemon and asks it whether it works.
func dialDaemon(socket string) (*grpc.ClientConn, error) {
	conn, err := grpc.NewClient("passthrough:daemon", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		}))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), daemonWait)
	defer cancel()
	if _, err := control.NewControlClient(conn).Info(ctx, &control.InfoRequest{}, grpc.WaitForReady(true)); err != nil {
		conn.Close()
		return nil, errors.New(status.Convert(err).Message())
	}
	return conn, nil
}

// noDaemon says how a server gets its own BuildKit.
func noDaemon(app string, why error) error {
	return fmt.Errorf("build-isolation is own, but the builder of this server does not answer (%w); "+
		"set it up on the server: sudo ./install.sh builder; or build with the engine: dokku builder:set %s build-isolation engine", why, app)
}

func (d *daemonSolver) key(string) string { return "app-" + d.namespace }

func (d *daemonSolver) dial(ctx context.Context, proto string, meta map[string][]string) (net.Conn, error) {
	return grpchijack.Dialer(d.control)(ctx, proto, meta)
}

func (d *daemonSolver) attach(s *session.Session) {
	s.Allow(d.load.target())
	s.Allow(d.images)
}

func (d *daemonSolver) close() {
	d.conn.Close()
	if d.images != nil {
		d.images.close()
	}
	d.release()
}

// noExitCode is in the error of a step whose process the daemon has lost: it was told to end, and
// ended its steps first. BuildKit's pb.UnknownExitStatus is the largest uint32.
const noExitCode = "exit code: 4294967295"

// stream has the daemon build the image, and loads that into the engine.
func (d *daemonSolver) stream(ctx context.Context, r job, session string, messages chan<- message) error {
	attributes, err := d.attributes(r)
	if err != nil {
		return err
	}
	d.load.begin(ctx)
	ref := identity.NewID()
	following, stop := context.WithCancel(ctx)
	defer stop()
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		d.follow(following, ref, messages)
	}()
	answer, err := d.control.Solve(ctx, &control.SolveRequest{Ref: ref, Session: session, Internal: true,
		Frontend: "dockerfile.v0", FrontendAttrs: attributes, Exporters: []*control.Exporter{{Type: "docker",
			// The engine stores layers as they are: to compress them first would only cost time.
			Attrs: map[string]string{"compression": "uncompressed"}}}})
	select { // the steps' last lines are still to come
	case <-followed:
	case <-time.After(statusWait):
		stop()
		<-followed
	}
	if ctx.Err() != nil && err != nil && status.Code(err) == codes.Canceled {
		return nil
	}
	if loaded := d.load.end(); err == nil {
		err = loaded
	} else if code := status.Code(err); code == codes.Unavailable || code == codes.Canceled || strings.Contains(status.Convert(err).Message(), noExitCode) {
		return fmt.Errorf("the builder of this server (build-isolation own) ended during the build: %s; it starts again by itself: push again", status.Convert(err).Message())
	} else if loaded != nil {
		return loaded
	}
	if s, ok := status.FromError(err); ok && err != nil {
		send(ctx, messages, message{err: unreachable(s.Message())})
		return nil
	}
	if err != nil {
		return err
	}
	send(ctx, messages, message{image: answer.ExporterResponse[imageConfig]})
	return nil
}

// follow sends the progress of a build until that has ended.
func (d *daemonSolver) follow(ctx context.Context, ref string, messages chan<- message) {
	news, err := d.control.Status(ctx, &control.StatusRequest{Ref: ref})
	if err != nil {
		return // so does the build itself
	}
	for {
		s, err := news.Recv()
		if err != nil || !send(ctx, messages, message{status: s}) {
			return
		}
	}
}

// send reports whether a message was taken before the build was cancelled.
func send(ctx context.Context, messages chan<- message, m message) bool {
	select {
	case messages <- m:
		return true
	case <-ctx.Done():
		return false
	}
}

// attributes are the request in the words of the Dockerfile frontend.
func (d *daemonSolver) attributes(r job) (map[string]string, error) {
	a := map[string]string{"filename": r.dockerfile}
	if r.Target != "" {
		a["target"] = r.Target
	}
	if r.Platform != "" {
		a["platform"] = r.Platform
	}
	if r.NoCache {
		a["no-cache"] = ""
	}
	for k, v := range r.Labels {
		a["label:"+k] = v
	}
	for k, v := range r.BuildArgs {
		a["build-arg:"+k] = v
	}
	d.images.attributes(a)
	// After those of the request, which must not choose another app's.
	a["build-arg:"+argNamespace] = d.namespace
	// A line of /etc/hosts is a part of what a step is known by in the cache. So no app gets the
	// result of another app's step, which may come from a secret that the first one has not.
	hosts := []string{"build-" + d.namespace + "=127.0.0.1"}
	for _, h := range r.Hosts {
		name, address, _ := strings.Cut(h, ":")
		if net.ParseIP(strings.Trim(address, "[]")) == nil {
			return nil, fmt.Errorf("--add-host %s has no address that the builder of this server (build-isolation own) can use; write an IP address, "+
				"or build with the engine: dokku builder:set %s build-isolation engine", h, r.App)
		}
		hosts = append(hosts, name+"="+strings.Trim(address, "[]"))
	}
	var line strings.Builder
	w := csv.NewWriter(&line)
	if err := w.Write(hosts); err != nil {
		return nil, err
	}
	w.Flush()
	a["add-hosts"] = strings.TrimSpace(line.String())
	return a, nil
}

// dialled matches how BuildKit names an address that it cannot reach.
var dialled = regexp.MustCompile(`dial tcp (\d+\.\d+\.\d+\.\d+:\d+): connect: (?:no route to host|host is unreachable|permission denied|connection refused)`)

// unreachable replaces a message about an address that the rules of the daemon's network
// refuse.
func unreachable(message string) string {
	m := dialled.FindStringSubmatch(message)
	if m == nil {
		return message
	}
	address := netip.MustParseAddrPort(m[1]).Addr()
	if strings.HasSuffix(m[0], "connection refused") && !address.IsLoopback() {
		return message
	}
	host := address.String()
	if address.IsLoopback() { // those of this host are none that a setting could open
		return fmt.Sprintf("cannot fetch from %s: builds reach neither this server nor private networks (build-isolation own)", m[1])
	}
	return fmt.Sprintf("cannot fetch from %s: builds reach neither this server nor private networks (build-isolation own); "+
		"to allow it, on the server: dokku builder:set --global isolation-networks %s", m[1], host)
}

// DaemonVersion asks the BuildKit at a socket for its version.
func DaemonVersion(ctx context.Context, socket string) (string, error) {
	if _, err := os.Stat(socket); err != nil {
		return "", err
	}
	conn, err := dialDaemon(socket)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	info, err := control.NewControlClient(conn).Info(ctx, &control.InfoRequest{})
	if err != nil {
		return "", errors.New(status.Convert(err).Message())
	}
	return info.BuildkitVersion.GetVersion(), nil
}
