package notify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"dokku/agent/app"
	"dokku/agent/event"
	"dokku/agent/remote"
)

// postTime bounds one attempt, from the look-up of the name to the end of the answer.
const postTime = 10 * time.Second

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 4 << 10

// Poster posts to hooks.
type Poster struct {
	// Private: hooks that were added over ssh may reach any address.
	Private bool
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

func (p Poster) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// Answer is what a hook said.
type Answer struct {
	Status int // 0: nothing
	// After is the pause that the hook asks for; 0: none.
	After time.Duration
	// Gone: the hook wants no notification any more (410).
	Gone bool
}

// Post posts one notification, once. Anything but a status of 2xx is an error, which has
// no part of the address: that may be a password.
func (p Poster) Post(ctx context.Context, h app.Hook, n *Notification) (a Answer, err error) {
	body, err := Body(h.Format, n.Event)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, postTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.URL, bytes.NewReader(body))
	if err != nil {
		return a, errors.New("its URL is invalid: remove it and add it again")
	}
	headers, err := Sign(h.Secret, n.ID, p.now(), body)
	if err != nil {
		return a, err
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "dokku")
	answer, err := p.client(h).Do(r)
	if err != nil {
		return a, p.without(ctx, err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	a.Status, a.Gone = answer.StatusCode, answer.StatusCode == http.StatusGone
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		a.After = time.Duration(min(seconds, int(maxAge.Seconds()))) * time.Second
	}
	switch {
	case a.Status/100 == 2:
		return a, nil
	case a.Status/100 == 3:
		return a, fmt.Errorf("it answers %s, and redirects are not followed: add the address that it redirects to", answer.Status)
	}
	text := "it answers " + answer.Status
	if line := event.OneLine(strings.TrimSpace(string(said))); line != "" {
		text += ": " + line
	}
	return a, errors.New(text)
}

// client has a connection of its own for each attempt: they are rare.
func (p Poster) client(h app.Hook) *http.Client {
	dial := remote.DialPublic
	if h.Private || p.Private {
		dial = (&net.Dialer{}).DialContext
	}
	return &http.Client{
		Transport:     &http.Transport{DialContext: dial, DisableKeepAlives: true, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// without returns an error without the address that http names in it.
func (p Poster) without(ctx context.Context, err error) error {
	var about *url.Error
	if errors.As(err, &about) {
		err = about.Err
	}
	var private interface{ NotPublic() }
	switch {
	case errors.As(err, &private):
		return fmt.Errorf("%w: add it on the server itself, or set \"private_hooks\": true in .dokku/server.json", err)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("it did not answer within %s", postTime)
	}
	return err
}
