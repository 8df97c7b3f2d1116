package sources

import (
	"dokku/agent/app"
	"dokku/agent/deploy"
	"dokku/agent/remote"
	"dokku/build/source"
)

// PropMaxPack is the server's setting of how many bytes a push or a fetch may bring, as
// git packs them.
const PropMaxPack = "pack-max-size"

// DefaultMaxPack is as much as the files of a revision may have without packing.
var DefaultMaxPack = source.DefaultLimits.Total

// MaxPack returns the setting. An invalid value, which somebody must have written by hand,
// is an error.
func MaxPack(set app.Settings) (int64, error) {
	return set.GitLimit(PropMaxPack, DefaultMaxPack)
}

// packLimit returns the limit of a fetch.
func (i *Importer) packLimit() (remote.Limit, error) {
	set, err := i.Server.Settings()
	if err != nil {
		return remote.Limit{}, err
	}
	n, err := MaxPack(set)
	return remote.Limit{Max: n, Setting: PropMaxPack, Room: i.Server.Env.Room, Space: deploy.SpaceFix}, err
}
