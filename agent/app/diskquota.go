package app

import (
	"cmp"
	"fmt"
)

// PropDiskQuota bounds what an app keeps on the server's disk: its repository, its images and
// the caches of its builds. It is a size as in resource:limit, a part of the disk such as
// "20%", or "none". apps:set sets it.
const PropDiskQuota = "disk-quota"

// DefaultDiskQuota is none, as in Dokku: an app may be larger than any part of the disk, and
// whoever updates must not have its next push refused for that.
const DefaultDiskQuota = "none"

// DiskQuota returns how many bytes the app may keep; 0: any number. disk is the size in bytes of
// the server's disk. An invalid value, which somebody must have written by hand, is an error.
func (v View) DiskQuota(disk int64) (int64, error) {
	size, share, err := parseDiskQuota(cmp.Or(v.State.Apps[PropDiskQuota], v.Settings.Apps[PropDiskQuota], DefaultDiskQuota))
	if share > 0 {
		size = disk / 100 * share
	}
	return size, err
}

// CheckDiskQuota checks a value of PropDiskQuota.
func CheckDiskQuota(value string) error {
	_, _, err := parseDiskQuota(value)
	return err
}

// parseDiskQuota returns bytes or percents. Both are 0 if there is no limit.
func parseDiskQuota(value string) (size, share int64, err error) {
	size, share, err = parseDiskPart(value)
	if err == nil && size == 0 && share == 0 && value != "none" && value != "0" {
		err = fmt.Errorf("%q is nothing; for no limit: none", value)
	}
	if err != nil {
		//lint:ignore ST1005 the style of Dokku's messages
		return 0, 0, fmt.Errorf("Invalid %s specified: %w", PropDiskQuota, err)
	}
	return size, share, nil
}
