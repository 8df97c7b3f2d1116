package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"time"

	"dokku/agent/event"
	"dokku/build/source"
)

// answerTime bounds the wait for the first byte of an answer, and idleTime that for
// more bytes of it.
const (
	answerTime = time.Minute
	idleTime   = time.Minute
)

// maxRedirects is how many redirects a client follows.
const maxRedirects = 10

// A client requests what a revision names: of the hosts that Hosts.Dial reaches, with the
// passwords of git:auth.
type client struct {
	hosts Hosts
	// server is the origin of the server of LFS: a password goes there alone. An address in its answer
	// may name any host.
	server string
	http   *http.Client
}

func (f *Fetcher) client(endpoint string) *client {
	server := ""
	if u, err := url.Parse(endpoint); err == nil {
		server = origin(u)
	}
	return &client{f.Hosts, server, &http.Client{
		Transport: &http.Transport{DialContext: f.Hosts.dialIdle, ResponseHeaderTimeout: answerTime, TLSHandshakeTimeout: answerTime, DisableCompression: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			switch {
			case len(via) > maxRedirects:
				return fmt.Errorf("it redirects more than %d times", maxRedirects)
			case via[0].URL.Scheme == schemeHTTPS && r.URL.Scheme != schemeHTTPS:
				return fmt.Errorf("it redirects from https to %s", event.OneLine(r.URL.Scheme))
			}
			return nil
		},
	}}
}

// do sends a request, with the host's password unless it brings an authorization.
func (c *client) do(r *http.Request) (*http.Response, error) {
	user, password, ok, err := c.hosts.Login(r.URL.Hostname())
	if ok && err == nil {
		ok, err = c.hosts.entitled(r.URL)
	}
	if err != nil {
		return nil, err
	}
	if ok && origin(r.URL) == c.server && r.Header.Get("Authorization") == "" && r.URL.User == nil {
		r.SetBasicAuth(user, password)
	}
	answer, err := c.http.Do(r)
	var private *privateError
	var about *url.Error
	switch {
	case errors.As(err, &private):
		return nil, &hostError{host: r.URL.Hostname(), why: private}
	case errors.As(err, &about): // its address may have a password
		return nil, about.Err
	}
	return answer, err
}

// download writes an object to a new file, and checks its size and its content.
func (c *client) download(ctx context.Context, from *batchObject, o source.LFSObject, path string) error {
	switch {
	case from == nil:
		return errors.New("the server says nothing about it")
	case from.Error != nil:
		return fmt.Errorf("the server answers %d: %s; push it there: git lfs push --all <remote>", from.Error.Code, event.OneLine(from.Error.Message))
	case from.Actions.Download == nil:
		return errors.New("the server does not say where it is")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, from.Actions.Download.Href, nil)
	if err != nil || r.URL.Scheme != schemeHTTPS && r.URL.Scheme != schemeHTTP {
		return errors.New("the server names an invalid address for it")
	}
	for name, value := range from.Actions.Download.Header {
		r.Header.Set(name, value)
	}
	answer, err := c.do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", r.URL.Hostname(), answer.Status)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	hash := sha256.New()
	n, err := io.Copy(io.MultiWriter(f, hash), io.LimitReader(answer.Body, o.Size+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	switch {
	case n > o.Size:
		return fmt.Errorf("the server sends more than its %d bytes", o.Size)
	case n < o.Size:
		return fmt.Errorf("the server sends %d of its %d bytes", n, o.Size)
	case sum != o.OID:
		return fmt.Errorf("the server sends another content, whose SHA-256 is %s", sum)
	}
	return nil
}

// dialIdle is Dial for connections that end when nothing comes for idleTime.
func (h Hosts) dialIdle(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := h.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return &idleConn{c}, nil
}

type idleConn struct{ net.Conn }

func (c *idleConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(idleTime)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}
