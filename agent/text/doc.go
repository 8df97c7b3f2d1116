// Package text formats values for people: plurals, aligned columns, and the
// distance between a mistyped name and a known one. It imports nothing of this
// module, so that every package can use it.
package text
