package app

import (
	"cmp"
	"fmt"
	"slices"
)

// PropColour is the property of git:set that says whether a push prints in colour, and
// the name of git's push option that overrides it for one push.
const PropColour = "color"

// Values of PropColour. Git does not tell a hook whether the pusher reads a terminal, so
// ColourAuto, the default, prints no colours.
const (
	ColourAlways = "always"
	ColourNever  = "never"
	ColourAuto   = "auto"
)

// CheckColour returns an error unless value is one of PropColour's.
func CheckColour(value string) error {
	if !slices.Contains([]string{ColourAlways, ColourNever, ColourAuto}, value) {
		//lint:ignore ST1005 the style of Dokku's messages
		return fmt.Errorf("Invalid color specified: %q is not one of: %s, %s, %s", value, ColourAlways, ColourNever, ColourAuto)
	}
	return nil
}

// PushColour returns PropColour: the app's, else the server's, else the default.
func (v View) PushColour() string {
	return cmp.Or(v.State.PushColour, v.Settings.Git[PropColour], ColourAuto)
}
