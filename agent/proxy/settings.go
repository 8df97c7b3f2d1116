package proxy

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// defaultBodySize, defaultTimeout: the values of a zero Settings.
	defaultBodySize = "1m"
	defaultTimeout  = time.Minute

	// maxTimeout is a limit of ours: nginx keeps milliseconds in 32 bits.
	maxTimeout = 7 * 24 * time.Hour

	// maxBodySize is a limit of ours, far below where nginx overflows.
	maxBodySize = 1 << 50
)

var bodySize = regexp.MustCompile(`^([0-9]{1,15})([kKmMgG]?)$`)

// Settings of a route; a zero field means the default.
type Settings struct {
	ClientMaxBodySize string        // nginx size: "1m" (default), "0" for no limit
	ReadTimeout       time.Duration // between two reads of an answer; default 60 s
	SendTimeout       time.Duration // between two writes of a request; default 60 s
	// IncludeDir is a folder whose *.conf files, written by the admin, are included
	// in the app's server block: <app repository>/nginx.conf.d
	IncludeDir string
	// Properties are the values of further settings, by the names in the variable
	// Properties. One that is missing has its default. Without log paths, nginx's own
	// logs get the requests.
	Properties map[string]string `json:",omitempty"`
}

func (s Settings) equal(o Settings) bool {
	return s.ClientMaxBodySize == o.ClientMaxBodySize && s.ReadTimeout == o.ReadTimeout && s.SendTimeout == o.SendTimeout &&
		s.IncludeDir == o.IncludeDir && maps.Equal(s.Properties, o.Properties)
}

func (s Settings) checked() (Settings, error) {
	if s.ClientMaxBodySize == "" {
		s.ClientMaxBodySize = defaultBodySize
	}
	if err := CheckSize(s.ClientMaxBodySize); err != nil {
		return s, err
	}
	for _, t := range []struct {
		name  string
		value *time.Duration
	}{{"read timeout", &s.ReadTimeout}, {"send timeout", &s.SendTimeout}} {
		if *t.value == 0 {
			*t.value = defaultTimeout
		}
		if *t.value < time.Millisecond || *t.value > maxTimeout {
			return s, fmt.Errorf("invalid %s %s: give 1ms to %s", t.name, *t.value, maxTimeout)
		}
	}
	if s.IncludeDir != "" && (!folder.MatchString(s.IncludeDir) || filepath.Clean(s.IncludeDir) != s.IncludeDir) {
		return s, fmt.Errorf("invalid include folder %.80q: give an absolute path without spaces and special characters", s.IncludeDir)
	}
	s.Properties = maps.Clone(s.Properties)
	if len(s.Properties) == 0 {
		s.Properties = nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if err := CheckProperty(name, s.Properties[name]); err != nil {
			return s, err
		}
	}
	_, err := s.Buffers()
	return s, err
}

// CheckSize reports why size cannot be Settings.ClientMaxBodySize.
func CheckSize(size string) error {
	if _, err := parseSize(size); err != nil {
		return fmt.Errorf("invalid client-max-body-size %.80q: give a number with k, m or g, such as 50m, or 0 for no limit", size)
	}
	return nil
}

// parseSize reads a number of bytes in nginx's form: 8k, 1m.
func parseSize(v string) (int64, error) {
	m := bodySize.FindStringSubmatch(v)
	if m == nil {
		return 0, fmt.Errorf("%.80q is not a size", v)
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := map[string]uint{"": 0, "k": 10, "m": 20, "g": 30}[strings.ToLower(m[2])]
	if err != nil || n > maxBodySize>>shift {
		return 0, fmt.Errorf("%.80q is too large", v)
	}
	return n << shift, nil
}

// Buffers hold a response, in bytes.
type Buffers struct {
	First       int64 // the response's header must fit into it
	Count, Size int64
	Busy        int64 // may be on their way to the client
	// File is how much of a response waits on the disk for a slow client; 0: nothing.
	File int64
}

// Default sizes of Buffers. The header of Dokku's 4 or 8 kB is too small for apps that
// set several cookies, whose answer is then a 502.
const (
	defaultFirst      = 64 << 10
	defaultBufferSize = 16 << 10
	defaultCount      = 8
	defaultFile       = 1 << 20
)

// Buffers returns the sizes of the response's buffers. nginx refuses sizes that do not
// fit together, so those that nobody set follow those that somebody set.
func (s Settings) Buffers() (Buffers, error) {
	first, _ := parseSize(s.Properties["proxy-buffer-size"])
	busy, _ := parseSize(s.Properties["proxy-busy-buffers-size"])
	count, size, _ := parseBuffers(s.Properties["proxy-buffers"])
	b := Buffers{First: first, Count: count, Size: size, Busy: busy}
	if b.Count == 0 {
		b.Size = defaultBufferSize
		if b.Busy != 0 && b.First <= b.Busy {
			b.Size = min(b.Size, b.Busy)
		}
		b.Count = max(defaultCount, (max(b.First, b.Busy)+b.Size-1)/b.Size+1)
	}
	most := (b.Count - 1) * b.Size
	if b.First == 0 {
		b.First = min(defaultFirst, most)
		if b.Busy != 0 {
			b.First = min(b.First, b.Busy)
		}
	}
	if b.Busy == 0 {
		b.Busy = max(b.First, b.Size)
	}
	if set := s.Properties[MaxTempFile]; set != "" {
		b.File, _ = parseSize(set)
	} else {
		b.File = max(defaultFile, b.First, b.Size)
	}
	switch {
	case b.File != 0 && b.File < max(b.First, b.Size):
		return b, fmt.Errorf("invalid %s %s: give 0, or at least proxy-buffer-size and one of proxy-buffers, %d",
			MaxTempFile, s.Properties[MaxTempFile], max(b.First, b.Size))
	case b.Busy < max(b.First, b.Size):
		return b, fmt.Errorf("invalid proxy-busy-buffers-size %s: give at least proxy-buffer-size and one of proxy-buffers, %d",
			s.Properties["proxy-busy-buffers-size"], max(b.First, b.Size))
	case b.Busy > most:
		return b, fmt.Errorf("invalid proxy-buffers %q: all but one of them must hold proxy-buffer-size and proxy-busy-buffers-size, %d bytes",
			s.Properties["proxy-buffers"], b.Busy)
	}
	return b, nil
}
