package buildkit

import (
	"context"
	"fmt"
	"slices"

	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/filesync"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	"github.com/tonistiigi/fsutil"
)

// buildSession is the connection over which the engine requests files and registry
// credentials.
type buildSession struct {
	s      *session.Session
	files  *contextFS
	cancel context.CancelFunc
	done   chan struct{}
}

// startSession connects to the engine. A connection that cannot be made ends
// the build, which would wait for it.
func startSession(ctx context.Context, r job, files *contextFS, fail context.CancelCauseFunc) (*buildSession, error) {
	// The key makes the engine compare with the files of the app's last build.
	sess, err := session.NewSession(ctx, r.solver.key(r.App))
	if err != nil {
		return nil, fmt.Errorf("cannot build %s: %w", r.Commit.Short, err)
	}
	var dockerfile fsutil.FS = uncounted{files}
	if r.folder != nil {
		dockerfile = r.folder
	}
	sync := filesync.NewFSSyncProvider(filesync.StaticDirSource{dirContext: files, dirDockerfile: dockerfile})
	sess.Allow(&fileServer{FileSyncServer: sync.(filesync.FileSyncServer), transfer: files.transfer})
	sess.Allow(&credentials{folders: append(slices.Clone(r.Registries), r.config.DockerConfig)})
	sess.Allow(secretsprovider.FromMap(secrets(r.Secrets)))
	r.solver.attach(sess)
	ctx, cancel := context.WithCancel(ctx)
	running := &buildSession{s: sess, files: files, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(running.done)
		err := sess.Run(ctx, r.solver.dial)
		if err != nil && ctx.Err() == nil {
			fail(fmt.Errorf("cannot connect to the engine: %w; is it running?", err))
		}
	}()
	return running, nil
}

func (b *buildSession) id() string { return b.s.ID() }

// close ends the connection and waits until nothing reads files any more.
func (b *buildSession) close() {
	b.cancel()
	b.s.Close()
	<-b.done
	b.files.close()
}

// secrets are the values as the engine asks for them.
func secrets(values map[string]string) map[string][]byte {
	m := map[string][]byte{}
	for id, value := range values {
		m[id] = []byte(value)
	}
	return m
}
