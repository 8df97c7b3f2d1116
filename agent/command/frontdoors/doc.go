// Package frontdoors has the commands about servers that serve visitors too, front-door:*.
package frontdoors
