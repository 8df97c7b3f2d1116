package acme

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"dokku/agent/certs"
)

// programLimit is how long the program lego may take for an order.
const programLimit = 20 * time.Minute

// programName is the name under which the program stores the certificate.
const programName = "dokku"

// runProgram has the installed program lego do an order, with an account of its own. It
// orders again without the names that it found fault with.
func (c *Client) runProgram(ctx context.Context, names []string, o Order) (pair certs.Pair, problems []*Problem, err error) {
	path, err := c.program()
	if err != nil {
		return pair, nil, err
	}
	if err := c.DNS.checkEnv(); err != nil {
		return pair, nil, err
	}
	for range maxOrders {
		var failed []*Problem
		pair, failed, err = c.programOrder(ctx, path, names, o)
		for _, p := range failed {
			names = slices.DeleteFunc(names, func(n string) bool { return n == p.Name })
		}
		problems = append(problems, failed...)
		if err != nil || len(failed) == 0 || len(names) == 0 || o.Whole {
			return pair, problems, err
		}
	}
	return pair, problems, problemf(typeMalformed, "the program lego found fault with further names in %d orders, and is left alone for now", maxOrders)
}

func (c *Client) programOrder(ctx context.Context, path string, names []string, o Order) (certs.Pair, []*Problem, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, programLimit, problemf(TypeUnreachable, "the program lego has not finished within %s", programLimit))
	defer cancel()
	dir := c.folder() + ".lego"
	if err := c.Disk.MkdirAll(dir, 0o700); err != nil {
		return certs.Pair{}, nil, problemf(TypeSetup, "cannot make the folder of the program lego: %v", err)
	}
	// A certificate from before would be renewed instead, and not with the same names.
	files := filepath.Join(dir, "certificates")
	if err := c.Disk.RemoveAll(files); err != nil {
		return certs.Pair{}, nil, problemf(TypeSetup, "cannot clear the folder of the program lego: %v", err)
	}
	defer c.Disk.RemoveAll(files) // it has a key
	output, err := runTool(ctx, path, c.programArgs(dir, names, o), c.programEnv())
	if err != nil {
		if ctx.Err() != nil {
			return certs.Pair{}, nil, context.Cause(ctx)
		}
		if failed := c.programFailures(names, output); len(failed) > 0 {
			return certs.Pair{}, failed, nil
		}
		return certs.Pair{}, nil, problemf(TypeDNSProvider, "%s", c.redact(asSettings(err.Error())))
	}
	chain, err := os.ReadFile(filepath.Join(files, programName+".crt"))
	if err == nil {
		var key []byte
		if key, err = os.ReadFile(filepath.Join(files, programName+".key")); err == nil {
			pair, err := c.accept(chain, key)
			return pair, nil, err
		}
	}
	return certs.Pair{}, nil, problemf(TypeSetup, "the program lego wrote no certificate: %v", err)
}

// programArgs are those of lego 5: `lego run` has all options of its own.
func (c *Client) programArgs(dir string, names []string, o Order) []string {
	args := []string{"run", "--accept-tos", "--server", c.Directory, "--path", dir, "--key-type", "ec256",
		"--cert.name", programName, "--dns", c.DNS.Provider}
	if c.Email != "" {
		args = append(args, "--email", c.Email)
	}
	if o.Profile != "" {
		args = append(args, "--profile", o.Profile)
	}
	if c.KeyID != "" {
		args = append(args, "--eab")
	}
	for _, r := range c.Resolvers {
		args = append(args, "--dns.resolvers", r)
	}
	for _, n := range names {
		args = append(args, "--domains", n)
	}
	return args
}

// programEnv has what no other user may read in the list of processes.
func (c *Client) programEnv() []string {
	env := childEnv(c.DNS.Env)
	if c.Bundle != "" {
		env = append(env, "LEGO_CA_CERTIFICATES="+c.Bundle, "LEGO_CA_SYSTEM_CERT_POOL=true")
	}
	if c.KeyID != "" {
		env = append(env, "LEGO_EAB_KID="+c.KeyID, "LEGO_EAB_HMAC="+c.HMAC)
	}
	return env
}

// legoProblem is an error document as lego prints it.
var legoProblem = regexp.MustCompile(`urn:ietf:params:acme:error:([A-Za-z]+) :: `)

// programFailures finds the names in lego's list of failures, which has the form
// "one or more domains had a problem: [NAME: TEXT] [NAME: TEXT]".
func (c *Client) programFailures(names []string, output string) []*Problem {
	_, list, ok := strings.Cut(output, "one or more domains had a problem:")
	if !ok {
		return nil
	}
	var failed []*Problem
	for _, name := range names {
		_, text, ok := strings.Cut(list, "["+name+": ")
		if !ok {
			continue
		}
		for _, other := range names {
			text, _, _ = strings.Cut(text, " ["+other+": ")
		}
		text = strings.TrimRight(strings.TrimSpace(text), `]"`)
		kind := TypeDNSProvider
		if m := legoProblem.FindStringSubmatchIndex(text); m != nil {
			kind, text = text[m[2]:m[3]], text[m[1]:]
		}
		failed = append(failed, problemf(kind, "%s", c.redact(asSettings(text))).of(name))
	}
	return failed
}
