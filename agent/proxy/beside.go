package proxy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Maintenance closes an app to visitors: the proxy answers every request with 503 and a
// page, whatever runs.
type Maintenance struct {
	// Page is the app's own page; the zero Files: the built-in one.
	Page Files `json:",omitzero"`
}

// MaintenancePage is the file of an own page that is the answer. The others of its folder
// are given to those who ask for them by name.
const MaintenancePage = "maintenance.html"

// Files are files that the proxy gives out or reads for each request. It makes a copy,
// which lives as long as a route needs it; after that Dir may be gone.
type Files struct {
	// ID tells them from all others: in hexadecimal. It becomes a part of file names.
	ID string `json:",omitempty"`
	// Dir holds the files; folders may be nested.
	Dir string `json:"-"`
}

// Redirect sends the visitors of a domain to another one, with the rest of their URL.
type Redirect struct {
	From string // one of the route's Domains
	To   string
	Code int // one of RedirectCodes
}

// RedirectCodes are the statuses of a Redirect. 301 and 302 may turn a POST into a GET,
// 303 does, 307 and 308 do not (RFC 9110, 15.4).
var RedirectCodes = []int{301, 302, 303, 307, 308}

// Auth asks visitors for a name and a password (RFC 7617).
type Auth struct {
	// Users are the hashes of passwords by the users' names, in a form of CheckHash. They
	// are not a part of the text by which a route is read back; ID stands for them.
	Users map[string]string `json:"-"`
	// ID identifies Users, which Checked sets; "": there are none, so nobody gets in by a
	// password.
	ID string `json:",omitempty"`
	// Allowed are the addresses that need no password. Without Users, only they get in.
	Allowed []netip.Prefix `json:",omitempty"`
	// Domains are those of the route's Domains at which visitors are asked; none: all of
	// them, and the host's own names and addresses.
	Domains []string `json:",omitempty"`
}

var (
	filesID = regexp.MustCompile(`^[0-9a-f]{8,64}$`)

	userName = regexp.MustCompile(`^[^\x00-\x20:#\x7f]{1,64}$`)

	// passwordHash is a hash of crypt(3): bcrypt, SHA-256, SHA-512, yescrypt, and Apache's
	// MD5, which nginx knows by itself.
	passwordHash = regexp.MustCompile(`^\$(2[aby]|5|6|y|apr1)\$[A-Za-z0-9./$=,]{8,200}$`)
)

// CheckUser reports why a name cannot be that of a user of Auth: a colon ends the name in
// requests and in nginx's file, and # begins a comment there.
func CheckUser(name string) error {
	if !userName.MatchString(name) {
		return fmt.Errorf("invalid user name %.80q: give 1 to 64 characters without spaces, ':' and '#'", name)
	}
	return nil
}

// CheckHash reports why a text cannot be the hash of a password. The error does not have
// the text.
func CheckHash(hash string) error {
	if !passwordHash.MatchString(hash) {
		return fmt.Errorf("not a hash of a password that begins with $2y$, $5$, $6$, $y$ or $apr1$")
	}
	return nil
}

// The most that a hash may cost of a password that somebody gives who is no admin. nginx computes it for
// each request with a password, right or wrong, and its worker answers no other app meanwhile.
const (
	maxBcryptCost = 10     // 2^10 rounds, some 50 ms
	maxSHARounds  = 10_000 // twice the default of crypt(3)
)

var (
	bcryptHash = regexp.MustCompile(`^\$2[aby]\$([0-9]{2})\$`)
	shaHash    = regexp.MustCompile(`^\$[56]\$(?:rounds=([0-9]{1,9})\$)?[^=$]*\$`)
	// yescryptHash has the default parameters of crypt_gensalt(3).
	yescryptHash = regexp.MustCompile(`^\$y\$j9T\$`)
)

// CheckHashCost refuses a hash, which CheckHash has accepted, that takes the proxy too long to compute. The
// error does not have the text.
func CheckHashCost(hash string) error {
	const end = " for each request, while other apps wait: make another one, or have an admin import it"
	switch {
	case strings.HasPrefix(hash, "$2"):
		m := bcryptHash.FindStringSubmatch(hash)
		if m == nil || m[1] > strconv.Itoa(maxBcryptCost) {
			return fmt.Errorf("bcrypt with a cost above %d takes too long"+end, maxBcryptCost)
		}
	case strings.HasPrefix(hash, "$5$"), strings.HasPrefix(hash, "$6$"):
		m := shaHash.FindStringSubmatch(hash)
		if m == nil {
			return fmt.Errorf("SHA-crypt with more than %d rounds takes too long"+end, maxSHARounds)
		}
		if n, _ := strconv.Atoi(m[1]); n > maxSHARounds {
			return fmt.Errorf("SHA-crypt with more than %d rounds takes too long"+end, maxSHARounds)
		}
	case strings.HasPrefix(hash, "$y$") && !yescryptHash.MatchString(hash):
		return fmt.Errorf("yescrypt with other parameters than $y$j9T$ may take too long" + end)
	}
	return nil
}

// Lines returns the users as htpasswd(1) writes them: "name:hash" each.
func (a Auth) Lines() []byte {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(a.Users)) {
		fmt.Fprintf(&b, "%s:%s\n", name, a.Users[name])
	}
	return []byte(b.String())
}

// checkBeside checks what stands in front of the processes.
func checkBeside(r *Route) error {
	if m := r.Maintenance; m != nil && m.Page.ID != "" && !filesID.MatchString(m.Page.ID) {
		return fmt.Errorf("invalid maintenance page %.80q: its id is not hexadecimal", m.Page.ID)
	}
	known := map[string]bool{}
	for _, redirect := range r.Redirects {
		if err := CheckRedirect(redirect); err != nil {
			return err
		}
		if !slices.Contains(r.Domains, redirect.From) || known[redirect.From] {
			return fmt.Errorf("the redirect of %s is given twice, or the domain is none of the app's", redirect.From)
		}
		known[redirect.From] = true
	}
	return checkAuth(r)
}

func checkAuth(r *Route) error {
	if r.Auth == nil {
		return nil
	}
	a := *r.Auth
	for name, hash := range a.Users {
		if err := CheckUser(name); err != nil {
			return err
		}
		if err := CheckHash(hash); err != nil {
			return fmt.Errorf("invalid password of user %s: %w", name, err)
		}
	}
	for _, d := range a.Domains {
		if !slices.Contains(r.Domains, d) {
			return fmt.Errorf("users are asked for a password at %.80q, which is no domain of the app's", d)
		}
	}
	if len(a.Users) > 0 {
		sum := sha256.Sum256(a.Lines())
		a.ID = hex.EncodeToString(sum[:])
	}
	if a.ID != "" && !filesID.MatchString(a.ID) {
		return fmt.Errorf("invalid id %.80q of users", a.ID)
	}
	r.Auth = &a
	return nil
}

// CheckRedirect reports why nobody can be redirected so.
func CheckRedirect(r Redirect) error {
	for _, d := range []string{r.From, r.To} {
		if err := CheckDomain(d); err != nil {
			return err
		}
		if d == CatchAll || strings.HasPrefix(d, "*.") {
			return fmt.Errorf("invalid domain %q of a redirect: give one name", d)
		}
	}
	switch {
	case r.From == r.To:
		return fmt.Errorf("a redirect of %s to itself would never end", r.From)
	case !slices.Contains(RedirectCodes, r.Code):
		return fmt.Errorf("invalid code %d of a redirect: give one of %s", r.Code, strings.Trim(fmt.Sprint(RedirectCodes), "[]"))
	}
	return nil
}

// besideEqual reports whether the same stands in front of the processes of both routes.
func besideEqual(a, b Route) bool {
	switch {
	case (a.Maintenance == nil) != (b.Maintenance == nil), (a.Auth == nil) != (b.Auth == nil):
		return false
	case a.Maintenance != nil && a.Maintenance.Page.ID != b.Maintenance.Page.ID:
		return false
	case a.Auth != nil && (a.Auth.ID != b.Auth.ID || !slices.Equal(a.Auth.Allowed, b.Auth.Allowed) ||
		!slices.Equal(a.Auth.Domains, b.Auth.Domains)):
		return false
	}
	return slices.Equal(a.Redirects, b.Redirects)
}
