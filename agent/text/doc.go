// Package text holds what several packages need to put values into words:
// plurals, aligned columns, and the distance between a mistyped name and the
// known ones. It imports nothing of this module, so that every package can use it.
package text
