package engine

import "context"

// Caches are what builds keep from one to the next: an app's own volumes, which carry its
// label, and the engine's build cache. Scratch volumes of builds carry LabelContainerType
// too.
type Caches interface {
	// RemoveCaches removes the app's caches and returns the names of its volumes, sorted. One
	// that a container uses is ErrInUse. Of the build cache it removes what steps of the app's
	// builds mount; the rest is of all apps.
	RemoveCaches(ctx context.Context, app string) (names []string, err error)
	// RemoveScratch removes the volumes of the app's builds (KindBuild) that no container
	// has. A container takes its own along; these lost theirs in another way, such as a
	// crash of the engine. The caller holds the app's lock: no build of it runs.
	RemoveScratch(ctx context.Context, app string) error
	// BuildCache returns how many bytes the engine's build cache has, without those that
	// images have too. All builds of the engine share it, also those of other programs.
	BuildCache(ctx context.Context) (int64, error)
	// PruneBuildCache removes what was used least recently from the build cache, until it
	// has at most keep bytes, and returns how many it freed. What a build uses at the time
	// stays. keep is above 0.
	PruneBuildCache(ctx context.Context, keep int64) (freed int64, err error)
	// DiskUse returns how much the engine keeps for an app. Images that are missing count as
	// nothing.
	DiskUse(ctx context.Context, app string, images []string) (DiskUse, error)
}

// DiskUse are the bytes that an engine keeps for an app.
type DiskUse struct {
	// Images are the layers of its images, each counted once. Other apps may have some, too.
	Images int64
	// Cache is what RemoveCaches removes.
	Cache int64
}
