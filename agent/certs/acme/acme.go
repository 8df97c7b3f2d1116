package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/go-acme/lego/v5/log"

	"dokku/agent/certs"
	"dokku/agent/disk"
)

// RequestLimit is how long one request to a CA may take, with its answer. A CA that hangs
// costs this once for each operation, because the first request that fails ends it.
const RequestLimit = 30 * time.Second

// The time limits of the steps of an order, beside RequestLimit.
const (
	// validationLimit is how long the CA may take to check the names, all together.
	validationLimit = 2 * time.Minute
	// issueLimit is how long the CA may take to sign.
	issueLimit = 90 * time.Second
)

// maxOrders is how many orders one Obtain may make at most. The first finds the names that
// cannot be proved, and the second is for the rest; the others are for a CA that rejects
// names one by one.
const maxOrders = 4

// ErrNoRenewalInfo is returned by Renewal where the CA suggests no time for the renewal of
// a certificate. Renew it at a third of its lifetime then.
var ErrNoRenewalInfo = errors.New("the CA does not say when to renew")

// CA issues certificates. Client is the implementation; tests of callers have others.
//
// An error is or joins a *Problem, unless the context ended.
type CA interface {
	// Thumbprint is that of the account's key (RFC 7638, in base64url). HTTP-01 is answered
	// with it. It makes and stores the key if there is none, and asks nobody.
	Thumbprint() (string, error)
	// Terms is the URL of the CA's terms of service; "" if it has none.
	Terms(ctx context.Context) (url string, err error)
	// Obtain returns a certificate for the names that could be proved, and a Problem for
	// each of the others. Without a certificate, all Problems are in the error. It registers
	// the account on first use, and thereby agrees to the terms of service.
	Obtain(ctx context.Context, o Order) (certs.Pair, []*Problem, error)
	// Revoke revokes a certificate. One that is revoked already is no error.
	Revoke(ctx context.Context, p certs.Pair) error
	// Renewal is the time at which the CA wants a certificate to be renewed (ARI,
	// RFC 9773). It fails with ErrNoRenewalInfo if the CA does not say.
	Renewal(ctx context.Context, p certs.Pair) (Window, error)
}

// Order says what a certificate is wanted for.
type Order struct {
	// Names are DNS names in ASCII, with "*." in front for wildcards, and IP addresses.
	Names []string
	// Profile is one of the profiles that the CA offers; "": the CA's default. Let's
	// Encrypt issues certificates for addresses with "shortlived" only.
	Profile string
	// Replaces is the certificate that the new one renews, if any. CAs exempt such orders
	// from most of their rate limits (RFC 9773, section 5).
	Replaces *x509.Certificate
	// Whole: a certificate without one of the names is worth nothing to the caller. No order
	// is made without the names that fail.
	Whole bool
	// DNSOnly proves no name by HTTP, for apps that do not answer on port 80.
	DNSOnly bool
}

// Window is when a certificate should be renewed.
type Window struct {
	Start, End time.Time
	// Again is when to ask again, between a minute and a day from now.
	Again time.Time
	// Explanation is the URL of a page that says why; "" if there is none.
	Explanation string
}

// DNS is how names are proved by DNS. The zero DNS proves none.
type DNS struct {
	// Provider is lego's name of a DNS provider; "": none.
	Provider string
	// Env are the provider's settings: the environment variables that lego documents.
	Env map[string]string
	// Persist uses dns-persist-01 instead of a provider: records that somebody has added
	// once prove the names for good. It is experimental, as the draft is.
	Persist bool
}

// Config is a CA and an account there.
type Config struct {
	Directory string // the CA's directory URL, https
	Bundle    string // path of a PEM file with roots of the CA's own web server, beside the system's; "": none
	Email     string // contact of the account; may be ""
	// KeyID and HMAC (in base64url) bind the account to one that the CA knows from
	// elsewhere (RFC 8555, section 7.3.4). Some CAs want that.
	KeyID, HMAC string
	// Accounts is the folder of the account files. Each directory URL has a folder of its
	// own in it, named by the beginning of a hash of the URL.
	Accounts string
	Disk     disk.Disk // writes them
	DNS      DNS
	// Resolvers are the DNS servers (HOST or HOST:PORT) that are asked whether a record has
	// appeared, for private networks. None: the system's find the authoritative servers of
	// the zone, and these are asked.
	Resolvers []string
	// Timeout is that of one request; 0: RequestLimit.
	Timeout time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
}

// Client is the client of one CA. Several goroutines and processes may use the same
// account at the same time.
type Client struct {
	Config
}

var _ CA = (*Client)(nil)

// New returns the client of a CA. It reads and asks nothing yet.
func New(c Config) *Client {
	// lego logs to standard output unless told otherwise.
	log.SetDefault(slog.New(slog.DiscardHandler))
	if c.Timeout == 0 {
		c.Timeout = RequestLimit
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Client{Config: c}
}

// sleep waits, or returns the cause of the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
