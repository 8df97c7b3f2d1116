package deploy

import (
	"cmp"
	"math"
	"strings"

	"dokku/agent/app"
	"dokku/agent/remote"
	"dokku/agent/repo"
)

// fetched is the folder of what was fetched for the app's revisions.
func (x *Session) fetched() string { return x.Env.Store.File(x.Name, "fetched") }

// fetcher returns what fetches the submodules of a revision, which came from where from
// says.
func (x *Session) fetcher(from *app.Source) (*remote.Fetcher, error) {
	st := x.Env.Store
	size, err := x.Settings.GitLimit(remote.PropMaxSize, remote.DefaultMaxSize)
	memory, merr := x.Settings.GitLimit(repo.PropMemory, repo.DefaultMemory)
	packs, perr := x.View().PackLimits()
	packs.Objects = math.MaxInt // of the history of a submodule, which some servers send; its bytes are limited
	f := &remote.Fetcher{Hosts: remote.Hosts{Home: st.Root}, Cache: x.fetched(), Disk: st.Disk,
		Limit: remote.Limit{Max: size, Setting: remote.PropMaxSize, Room: x.Env.Room, Space: SpaceFix}, Packs: packs, Memory: memory, Log: x.Log, At: st.At,
		Staging: func() (string, func(), error) { return st.Staging("source-") }}
	if from != nil && from.Kind == app.SourceSync {
		f.Upstream, _, _ = strings.Cut(from.From, "#")
	}
	return f, cmp.Or(err, merr, perr)
}
