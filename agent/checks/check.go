package checks

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Kind is the action of a check.
type Kind int

const (
	HTTP      Kind = iota // sends a request
	Listening             // opens a connection
	Uptime                // waits until the process has been up for long enough
	Command               // runs a command inside the container
)

// Check is one thing that a process has to pass, from any file.
type Check struct {
	Kind   Kind
	Source string // "CHECKS", "app.json", "" for a default check
	Line   int    // in Source, 1-based
	Name   string // given in app.json

	// URL is the address of an HTTP check: its host is sent as the Host header,
	// its port does not change where the connection goes.
	URL     string
	anyHost bool   // URL has the default host: no file names one
	Content string // has to be in the answer, literally; empty: anything
	Header  http.Header
	Port    int // of HTTP and Listening; 0: the target's

	Uptime  time.Duration
	Command []string

	InitialDelay time.Duration
	Wait         time.Duration // of one attempt
	Attempts     int
	Timeout      time.Duration // of one request or command
	Warn         bool          // a failure is only reported
	// OnFailure is run inside the container when the check has failed; nil: nothing.
	OnFailure []string
}

// String describes the check as a push prints it: http://localhost/ => "Welcome".
func (c Check) String() string {
	switch c.Kind {
	case HTTP:
		s := c.URL
		if c.Port != 0 {
			s += " (port " + strconv.Itoa(c.Port) + ")"
		}
		if c.Content != "" {
			s += ` => "` + c.Content + `"`
		}
		return s
	case Listening:
		if c.Port == 0 {
			return "accepts connections"
		}
		return "accepts connections on port " + strconv.Itoa(c.Port)
	case Uptime:
		return "up for " + duration(c.Uptime)
	default:
		return "runs " + strings.Join(c.Command, " ")
	}
}

// defaultHost is asked where neither a file names a host nor the app has a domain.
const defaultHost = "localhost"

// ask makes a check without a host ask for this one.
func (c *Check) ask(host string) {
	if scheme, rest, _ := strings.Cut(c.URL, "://"); c.anyHost {
		c.URL = scheme + "://" + host + strings.TrimPrefix(rest, defaultHost)
	}
}

// byDefault reports whether the check is a default one, of no file.
func (c Check) byDefault() bool { return c.Source == "" }

// shortestWindow keeps an attempt with WAIT=0 from being over before it began.
// It delays no deploy: a process that answers at once passes at once.
const shortestWindow = time.Second

// window is the length of an attempt.
func (c Check) window() time.Duration { return max(c.Wait, shortestWindow) }

// duration prints a duration with as much precision as a reader needs: 12ms, 1.2s, 10s,
// 1m30s.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond && d > 0:
		return "1ms"
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return strings.TrimSuffix(strconv.FormatFloat(d.Seconds(), 'f', 1, 64), ".0") + "s"
	}
	s := d.Round(time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
