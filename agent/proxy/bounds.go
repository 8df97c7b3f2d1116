package proxy

import (
	"fmt"
	"math"
)

// mostBytes are the largest values of properties that an operator's key may set: nginx's disk holds so much of a
// request's body, and its memory so much of a response, for each of the thousands that strangers may
// have open.
var mostBytes = map[string]string{
	"client-max-body-size":    "100m",
	"proxy-buffer-size":       "1m",
	"proxy-buffers":           "1m",
	"proxy-busy-buffers-size": "1m",
}

// CheckBounded refuses an operator's value, which Check accepts, of a property that takes more of the server than
// the largest one, or than the server's own value; "": there is none.
func CheckBounded(name, value, server string) error {
	most, ok := mostBytes[name]
	if !ok {
		return nil
	}
	bound := weight("", most)
	if server != "" && weight(name, server) > bound {
		bound, most = weight(name, server), server
	}
	if weight(name, value) <= bound {
		return nil
	}
	return fmt.Errorf("%.80q is more than %s, the most that an operator's key may set: ask an admin to run it", value, most)
}

// weight is the number of bytes that a value stands for.
func weight(name, value string) int64 {
	if name == "proxy-buffers" {
		count, size, err := parseBuffers(value)
		if err != nil {
			return math.MaxInt64
		}
		return count * size
	}
	n, err := parseSize(value)
	if err != nil || name == "client-max-body-size" && n == 0 {
		return math.MaxInt64 // no limit
	}
	return n
}
