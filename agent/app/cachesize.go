package app

import (
	"fmt"
	"strconv"
	"strings"
)

// PropCacheSize bounds the engine's build cache: a size as in resource:limit, a part of
// the engine's disk such as "20%", or "none". builder:set --global sets it.
const PropCacheSize = "cache-size"

const (
	// leastCache keeps a value without its unit from emptying the cache at each build.
	leastCache = 100 << 20
	// mostShare leaves room for the images of the apps.
	mostShare = 90
	// usualDisk stands for the size of a disk that cannot be asked for it.
	usualDisk = 50 << 30
)

// CacheSize returns how many bytes the engine's build cache may have; 0: any number. disk
// is the size in bytes of the file system that the cache is on; 0: it is not known.
func (s Settings) CacheSize(disk int64) (int64, error) {
	value := s.Build[PropCacheSize]
	if value == "" {
		value = BuildDefaults[PropCacheSize]
	}
	if disk == 0 {
		disk = usualDisk
	}
	size, share, err := parseCacheSize(value)
	if share > 0 {
		size = disk / 100 * share
	}
	return size, err
}

// parseCacheSize returns bytes or percents. Both are 0 if there is no limit.
func parseCacheSize(value string) (size, share int64, err error) {
	if size, share, err = parseDiskPart(value); err == nil && share == 0 && value != "none" && value != "0" && size < leastCache {
		err = fmt.Errorf("%q is less than 100m, which is of no use to a build", value)
	}
	if err != nil {
		//lint:ignore ST1005 the style of Dokku's messages
		return 0, 0, fmt.Errorf("Invalid %s specified: %w", PropCacheSize, err)
	}
	return size, share, nil
}

// parseDiskPart parses a size in bytes or a part of the disk in percents. Both are 0 for none.
func parseDiskPart(value string) (size, share int64, err error) {
	if value == "none" || value == "0" {
		return 0, 0, nil
	}
	if number, ok := strings.CutSuffix(value, "%"); ok {
		share, err = strconv.ParseInt(number, 10, 64)
		if err != nil || share < 1 || share > mostShare {
			err = fmt.Errorf("%q is not a part of the disk from 1%% to %d%%", value, mostShare)
		}
	} else if size, err = parseSize(value); err != nil {
		err = fmt.Errorf("%w; or a part of the disk such as 20%%, or none", err)
	}
	return size, share, err
}
