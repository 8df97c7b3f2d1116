package acme

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	lego "github.com/go-acme/lego/v5/acme"
)

// maxAnswer is the size of an answer of a CA in bytes at most. A chain has 10 kB.
const maxAnswer = 1 << 20

// maxRetryAfter caps what a CA may ask for. The longest limit of a known CA is a week.
const maxRetryAfter = 30 * 24 * time.Hour

// transport sends the requests of one operation. It binds them to the operation's
// context, since lego fetches the directory without one, and turns all that is no answer
// of a CA into a Problem or a refusal.
type transport struct {
	*http.Transport
	ctx    context.Context
	client *Client
}

// transport returns a transport for the operation of a context.
func (c *Client) transport(ctx context.Context) (*transport, error) {
	roots, err := c.roots()
	if err != nil {
		return nil, err
	}
	return &transport{ctx: ctx, client: c, Transport: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       (&net.Dialer{Timeout: c.Timeout}).DialContext,
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{RootCAs: roots, Time: c.Now, MinVersion: tls.VersionTLS12},
	}}, nil
}

// roots are those of the CA's own web server; nil: the system's. A bundle adds to these: it
// is for all CAs of the server.
func (c *Client) roots() (*x509.CertPool, error) {
	if c.Bundle == "" {
		return nil, nil
	}
	data, err := os.ReadFile(c.Bundle)
	if err != nil {
		return nil, problemf(TypeSetup, "cannot read the CA bundle: %v", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, problemf(TypeSetup, "the CA bundle %s has no certificate in PEM: it should begin with -----BEGIN CERTIFICATE-----", c.Bundle)
	}
	return pool, nil
}

// RoundTrip implements http.RoundTripper. The answer's body is in memory.
func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(t.ctx, t.client.Timeout)
	defer cancel()
	defer context.AfterFunc(req.Context(), cancel)()
	resp, err := t.Transport.RoundTrip(req.WithContext(ctx))
	var body []byte
	if err == nil {
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		resp.Body.Close()
		if err == nil {
			err = ctx.Err() // the end of a request can look like an empty answer
		}
	}
	switch {
	case err != nil && t.ctx.Err() != nil:
		return nil, context.Cause(t.ctx)
	case err != nil && req.Context().Err() != nil:
		return nil, context.Cause(req.Context())
	case err != nil:
		return nil, t.client.failed(req.URL, err)
	case len(body) > maxAnswer:
		return nil, problemf(TypeUnreachable, "%s answers with more than %d bytes, which no CA does", req.URL.Host, maxAnswer)
	}
	if err := t.client.refused(req, resp, body); err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	return resp, nil
}

// failed says why there is no answer.
func (c *Client) failed(u *url.URL, err error) *Problem {
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return problemf(TypeClock, "the certificate of %s is valid from %s to %s, and this server's clock says %s: set the clock",
			u.Host, minute(invalid.Cert.NotBefore), minute(invalid.Cert.NotAfter), minute(c.Now()))
	case errors.As(err, &unknown) && c.Bundle != "":
		return problemf(TypeUnreachable, "the certificate of %s is signed by none of the roots in the CA bundle %s", u.Host, c.Bundle)
	case errors.As(err, &unknown):
		return problemf(TypeUnreachable, "the certificate of %s is signed by nobody whom this server trusts: for a private CA, set ca-bundle", u.Host)
	case errors.As(err, &name):
		return problemf(TypeUnreachable, "%s shows a certificate for another name: %v", u.Host, name)
	case errors.Is(err, context.DeadlineExceeded):
		return problemf(TypeUnreachable, "%s does not answer within %s", u.Host, c.Timeout)
	}
	return problemf(TypeUnreachable, "%s cannot be reached: %v", u.Host, err)
}

// refused returns an error unless the answer is one of a CA that says yes. It leaves
// those to lego that lego repeats in another way.
func (c *Client) refused(req *http.Request, resp *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	page := kind == "text/html" || kind == "application/xhtml+xml"
	if resp.StatusCode < 400 && !page || resp.StatusCode >= 300 && resp.StatusCode < 400 {
		return nil
	}
	var d *lego.ProblemDetails
	if page || json.Unmarshal(body, &d) != nil || d == nil {
		p := problemf(TypeUnreachable, "%s answers with %s instead of an answer of a CA (HTTP %d): is the directory's URL right, or a proxy in between?",
			req.URL.Host, cmp.Or(kind, "something"), resp.StatusCode)
		if resp.StatusCode == http.StatusTooManyRequests {
			p = problemf(typeRateLimited, "%s allows no more requests now (HTTP 429)", req.URL.Host)
		}
		p.Until = c.retryAfter(resp.Header)
		return p
	}
	if d.Type == lego.BadNonceErrorType || d.Type == lego.AlreadyReplacedErrorType {
		return nil
	}
	d.HTTPStatus = resp.StatusCode
	return &refusal{ProblemDetails: d, until: c.retryAfter(resp.Header)}
}

// retryAfter is the time that a Retry-After field means (RFC 9110, section 10.2.3); zero
// if there is none. A date counts by the CA's clock.
func (c *Client) retryAfter(h http.Header) time.Time {
	value := strings.TrimSpace(h.Get("Retry-After"))
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) { // the highest then
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		theirs, err := http.ParseTime(h.Get("Date"))
		if err != nil {
			theirs = c.Now()
		}
		wait = at.Sub(theirs)
	}
	if wait <= 0 {
		return time.Time{}
	}
	return c.Now().Add(min(wait, maxRetryAfter)).UTC()
}

// httpClient follows few redirects, and none that leaves TLS (lego checks that).
func (t *transport) httpClient() *http.Client {
	return &http.Client{Transport: t, CheckRedirect: func(_ *http.Request, via []*http.Request) error {
		if len(via) > 2 {
			return errors.New("too many redirects")
		}
		return nil
	}}
}

func minute(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
