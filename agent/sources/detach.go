package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/event"
	"dokku/agent/proc"
	"dokku/agent/remote"
	"dokku/agent/repo"
	"dokku/agent/store"
	"dokku/build/source"
)

// A Detached is a push that goes on without its client. It lies in a folder of its own,
// beside the repository with its objects, for the process that pushes it.
type Detached struct {
	App     string       `json:"app"`
	Deploy  int          `json:"deploy"` // whose record waits for the push
	Refs    []deploy.Ref `json:"refs"`
	Options []string     `json:"options,omitempty"`
	// Remote and User are those of Output.
	Remote string `json:"remote,omitempty"`
	User   string `json:"user,omitempty"`
}

// detachedFile is the Detached below the repository's folder.
const detachedFile = "detached.json"

// Keep gives a push a repository of its own, which outlives the quarantine that its objects
// lie in: it links their files. Whoever has the folder's lock removes it.
func (d Detached) Keep(st *store.Store, objects source.Options) (dir string, lock *os.File, err error) {
	if err := st.At("create the repository of a detached push"); err != nil {
		return "", nil, err
	}
	dir, lock, err = st.LockedStaging("detached-")
	if err != nil {
		return "", nil, err
	}
	err = borrow(dir, objects.GitDir)
	if err == nil {
		err = d.shallow(objects, filepath.Join(dir, "shallow"))
	}
	if err == nil && objects.ObjectDir != "" {
		err = link(st, objects.ObjectDir, filepath.Join(dir, "objects"))
	}
	if err == nil {
		var data []byte
		if data, err = json.Marshal(d); err == nil {
			err = os.WriteFile(filepath.Join(dir, detachedFile), data, 0o600)
		}
	}
	if err != nil {
		os.RemoveAll(dir)
		lock.Close()
		return "", nil, fmt.Errorf("cannot keep the objects of a detached push: %w", err)
	}
	return dir, lock, nil
}

// shallow writes git's list of the commits at which history ends: the app's, and those of
// the pushed branch, of which git tells its hooks nothing.
func (d Detached) shallow(objects source.Options, path string) error {
	text, err := os.ReadFile(filepath.Join(objects.GitDir, "shallow"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known, err := source.Open(source.Options{GitDir: objects.GitDir})
	if err != nil {
		return err
	}
	defer known.Close()
	pushed, err := source.Open(objects)
	if err != nil {
		return err
	}
	defer pushed.Close()
	for _, r := range d.Refs {
		if r.New == deploy.ZeroID || !strings.HasPrefix(r.Name, deploy.Heads) {
			continue
		}
		ends, err := pushed.Boundary(r.New, known)
		if err != nil {
			return err
		}
		for _, id := range ends {
			text = append(text, id+"\n"...)
		}
	}
	if len(text) == 0 {
		return nil
	}
	return os.WriteFile(path, text, 0o600)
}

// link links the files of git's quarantine, which never change.
func link(st *store.Store, from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil || d.IsDir() {
			return errors.Join(err, os.MkdirAll(filepath.Join(to, rel), 0o700))
		}
		if err := st.At("link " + filepath.Base(filepath.Dir(path)) + "/" + filepath.Ext(path)); err != nil {
			return err
		}
		return os.Link(path, filepath.Join(to, rel))
	})
}

// The descriptors of the process that pushes: see Start.
const (
	lockFD  = 3
	begunFD = 4
)

// Start starts the process that pushes what Keep has kept, in a session of its own, and
// returns once that has taken over. It deploys in the name of by.
func Start(ctx context.Context, st *store.Store, binary, by, dir string, lock *os.File) error {
	defer lock.Close()
	failed := func(err error) error {
		os.RemoveAll(dir)
		return fmt.Errorf("cannot go on without the client: %w", err)
	}
	read, write, err := os.Pipe()
	if err != nil {
		return failed(err)
	}
	defer read.Close()
	cmd := exec.Command(binary, "detached-push", dir)
	cmd.Env = append(remote.Environment(st.Root), "DOKKU_ROOT="+st.Root, proc.PersonVar+"="+by)
	cmd.ExtraFiles = []*os.File{lock, write} // lockFD, begunFD
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = cmd.Start()
	write.Close()
	if err != nil {
		return failed(err)
	}
	go cmd.Wait() // it outlives this process, unless it fails at once
	said := make(chan string, 1)
	go func() {
		text, _ := io.ReadAll(read)
		said <- string(text)
	}()
	select {
	case text := <-said:
		if text == begun {
			return nil
		}
		err = errors.New(strings.TrimSpace(text))
		if text == "" {
			err = errors.New("its process has ended at once")
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	cmd.Process.Kill()
	return failed(err)
}

// begun is what the process of a detached push says when it has taken over.
const begun = "begun"

// Begun returns how the process that Start has started says that it has taken over, or why
// it cannot. It keeps the descriptors that it got from the processes that it starts itself.
func Begun() (tell func(error)) {
	for _, fd := range []int{lockFD, begunFD} {
		syscall.CloseOnExec(fd)
	}
	return func(err error) {
		f := os.NewFile(begunFD, "begun")
		if err == nil {
			io.WriteString(f, begun)
		} else {
			io.WriteString(f, err.Error())
		}
		f.Close()
	}
}

// PushDetached pushes what Keep has kept in dir, as a client's push. tell is called once it
// has taken over, or cannot. The pusher is gone, so that its error is in the record of the
// deploy too.
func (i *Importer) PushDetached(ctx context.Context, dir string, log event.Log, tell func(error)) error {
	defer os.RemoveAll(dir)
	var d Detached
	err := store.ReadJSON(filepath.Join(dir, detachedFile), &d)
	if err == nil {
		err = i.Server.Env.TakeOver(d.App, d.Deploy)
	}
	tell(err)
	if err != nil {
		return err
	}
	var said strings.Builder
	i.Output = Output{Out: io.Discard, Errs: &said, Remote: d.Remote, User: d.User}
	send := i.Send
	if send == nil {
		send = i.git
	}
	for {
		said.Reset()
		err = send(ctx, Push{App: d.App, Repo: dir, Refs: d.Refs, Options: d.Options, Origin: deploy.Origin{Deploy: d.Deploy}})
		if err == nil || !i.follow(&d, dir) {
			break
		}
	}
	if errors.Is(err, ErrTold) {
		err = errors.New(lastLine(said.String()))
	}
	if err != nil {
		i.Server.Env.EndWaiting(d.App, d.Deploy, err, log)
	}
	return err
}

// follow makes a push whose deploy still waits begin where its branches are now, if another
// push has moved one of them forward to where it would still be a step forward. It reports
// whether it did.
func (i *Importer) follow(d *Detached, dir string) (moved bool) {
	st := i.Server.Env.Store
	if waits, err := st.Deploy(d.App, d.Deploy); err != nil || waits.State != app.DeployWaiting {
		return false
	}
	src, err := source.Open(source.Options{GitDir: dir})
	if err != nil {
		return false
	}
	defer src.Close()
	for n, r := range d.Refs {
		tip, err := repo.Ref(st.Dir(d.App), r.Name)
		if err != nil || tip == "" || tip == r.Old || r.New == deploy.ZeroID {
			continue
		}
		if follows, err := src.IsAncestor(tip, r.New); err == nil && follows && tip != r.New {
			d.Refs[n].Old, moved = tip, true
		}
	}
	return moved
}
