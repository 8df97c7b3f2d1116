package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"dokku/agent/certs"
	"dokku/agent/disk"
)

type Config struct {
	Directory string
	Bundle    string
	Email     string
	KeyID     string
	HMAC      string
	Accounts  string
	Disk      disk.Disk
	DNS       DNS
	Resolvers []string
}

type DNS struct {
	Provider string
	Env      map[string]string
	Persist  bool
}

type CA interface {
	Thumbprint() (string, error)
	Terms(ctx context.Context) (string, error)
	Obtain(ctx context.Context, o Order) (certs.Pair, []*Problem, error)
	Revoke(ctx context.Context, p certs.Pair) error
	Renewal(ctx context.Context, p certs.Pair) (Window, error)
}

type Order struct {
	Names    []string
	Profile  string
	Replaces *x509.Certificate
	DNSOnly  bool
	Whole    bool
}

type Window struct {
	Start, End  time.Time
	Again       time.Time
	Explanation string
}

type Problem struct {
	Name   string
	Type   string
	Detail string
	Until  time.Time
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %s: %s", p.Name, p.Type, p.Detail) }

var ErrNoRenewalInfo = errors.New("the CA has no renewal information")

type Client struct{}

func New(Config) *Client { return &Client{} }

func (*Client) Thumbprint() (string, error)               { return "", nil }
func (*Client) Terms(ctx context.Context) (string, error) { return "", nil }
func (*Client) Obtain(ctx context.Context, o Order) (certs.Pair, []*Problem, error) {
	return certs.Pair{}, nil, nil
}
func (*Client) Revoke(ctx context.Context, p certs.Pair) error { return nil }
func (*Client) Renewal(ctx context.Context, p certs.Pair) (Window, error) {
	return Window{}, nil
}
func Providers() []string { return nil }

func Supports(provider string) bool { return false }

const Unreachable = "unreachable"
