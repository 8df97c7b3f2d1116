// Package releases has the commands about an app's releases: releases lists them,
// releases:show has what one changed, releases:rollback brings one back, and
// releases:pin and releases:set say which of them keep their image.
package releases
