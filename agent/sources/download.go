package sources

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"dokku/agent/app"
	"dokku/build/source"
)

// A download may take downloadTime as a whole, and answerTime until its first byte.
const (
	downloadTime = 15 * time.Minute
	answerTime   = 30 * time.Second
)

// maxRedirects is how many redirects a download follows.
const maxRedirects = 10

// open returns the archive's bytes.
func (a Archive) open(ctx context.Context) (io.ReadCloser, error) {
	if a.URL == "" {
		return io.NopCloser(a.Stdin), nil
	}
	return a.download(ctx)
}

// download requests the archive's address. Nothing of the answer is read yet.
func (a Archive) download(ctx context.Context) (io.ReadCloser, error) {
	dial, proxy := a.dial, (func(*http.Request) (*url.URL, error))(nil) // a proxy would connect to what dial refuses
	if dial == nil {
		dial, proxy = (&net.Dialer{Timeout: answerTime}).DialContext, http.ProxyFromEnvironment
	}
	ctx, cancel := context.WithTimeoutCause(ctx, downloadTime, fmt.Errorf("it took longer than %s", downloadTime))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.URL, nil)
	if err != nil {
		cancel()
		return nil, err
	}
	client := &http.Client{
		Transport: &http.Transport{Proxy: proxy, ResponseHeaderTimeout: answerTime, TLSHandshakeTimeout: answerTime,
			DialContext: dial, DisableCompression: true, DisableKeepAlives: true},
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects {
				return fmt.Errorf("it redirects more than %d times", maxRedirects)
			}
			if via[0].URL.Scheme == "https" && r.URL.Scheme != "https" {
				return fmt.Errorf("it redirects from https to %s", r.URL.Scheme)
			}
			return nil
		},
	}
	resp, err := client.Do(req)
	if err != nil {
		cancel()
		return nil, redacted(err)
	}
	body := &downloadBody{resp.Body, cancel}
	if resp.StatusCode != http.StatusOK {
		body.Close()
		return nil, fmt.Errorf("the server answers %s", resp.Status)
	}
	return body, nil
}

// redacted drops the address from an error of http: it may have a password, and the
// caller names it.
func redacted(err error) error {
	if e, ok := err.(*url.Error); ok {
		return e.Err
	}
	return err
}

type downloadBody struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (b *downloadBody) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// withoutSecrets checks the address of an archive and returns it without what may be a
// secret: the user, the query and the fragment.
func withoutSecrets(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("cannot download this archive: give an http or https address, or -- for standard input")
	}
	clean := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}
	return clean.String(), nil
}

// The server's settings of the limits of archives, with Dokku's defaults.
const (
	PropMaxSize     = "archive-max-size"
	PropMaxFiles    = "archive-max-files"
	DefaultMaxSize  = 1 << 30
	DefaultMaxFiles = 10_000
)

// limitsOf returns the limits of archives. An invalid value, which somebody must have
// written by hand, is an error.
func limitsOf(set app.Settings) (Limits, error) {
	size, err := set.GitLimit(PropMaxSize, DefaultMaxSize)
	if err != nil {
		return Limits{}, err
	}
	files, err := set.GitLimit(PropMaxFiles, DefaultMaxFiles)
	files = min(files, int64(source.DefaultLimits.Files))
	return Limits{Size: min(size, source.DefaultLimits.Total), Files: int(files)}, err
}
