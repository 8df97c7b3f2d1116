package app

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

var day0 = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// ordering is an app with a certificate for each group of names, ordered on day0 for 90
// days.
func ordering(domains string, issued ...string) View {
	v := View{App: &App{Name: "shop"}, Settings: Settings{}}
	v.State.Domains = strings.Fields(domains)
	v.State.EnableACME(true)
	for i, names := range issued {
		v.State.Issued = append(v.State.Issued, Certificate{ID: fmt.Sprintf("000%d", i), Names: strings.Fields(names),
			NotBefore: day0, NotAfter: day0.Add(90 * 24 * time.Hour), Authority: LetsEncrypt})
	}
	return v
}

// planned shows orders as "a b" or "a b whole".
func planned(orders []Order) string {
	var list []string
	for _, o := range orders {
		s := strings.Join(o.Names, " ")
		if o.Whole {
			s += " whole"
		}
		if o.Replaces != nil {
			s += " for " + o.Replaces.ID
		}
		list = append(list, s)
	}
	return strings.Join(list, "; ")
}

func TestDueOrders(t *testing.T) {
	failed := func(name string, at time.Duration) Orders {
		var o Orders
		o.Fail(name, "dns", "no such name", time.Time{}, day0.Add(at))
		return o
	}
	month := 30 * 24 * time.Hour
	for _, test := range []struct {
		about string
		v     View
		o     Orders
		at    time.Duration // since day0; the settings changed on day0
		want  string
		next  time.Duration
	}{
		{"the first order waits for the end of typing", ordering("a.com b.com"), Orders{}, time.Second, "", 3 * time.Second},
		{"then it has all names", ordering("a.com b.com"), Orders{}, 3 * time.Second, "a.com b.com", 0},
		{"nothing is due", ordering("a.com", "a.com"), Orders{}, time.Minute, "", 2 * month},
		{"a third of the life is left", ordering("a.com", "a.com"), Orders{}, 2 * month, "a.com for 0000", 0},
		{"a name was added", ordering("a.com b.com", "a.com"), Orders{}, time.Minute, "a.com b.com whole for 0000", 0},
		{"a name was removed", ordering("a.com", "a.com b.com"), Orders{}, time.Minute, "a.com whole for 0000", 0},
		{"an added name fails and waits", ordering("a.com b.com", "a.com"), failed("b.com", time.Minute), 2 * time.Minute, "", 11 * time.Minute},
		{"and is tried again", ordering("a.com b.com", "a.com"), failed("b.com", time.Minute), 11 * time.Minute, "a.com b.com whole for 0000", 0},
		{"a failed name does not keep a renewal", ordering("a.com b.com", "a.com b.com"), failed("b.com", 2*month), 2*month + time.Minute, "a.com for 0000", 0},
		{"a name that stays in an old certificate is renewed by itself", ordering("a.com b.com", "a.com", "a.com b.com"), Orders{}, 2 * month,
			"a.com for 0000; b.com for 0001", 0},
		{"a present name fails, and another one is added", ordering("a.com b.com c.com", "a.com b.com"), failed("b.com", time.Minute), 2 * time.Minute, "c.com", 0},
		{"a present name fails, and another one is removed", ordering("a.com b.com", "a.com b.com c.com"), failed("b.com", time.Minute), 2 * time.Minute,
			"", 11 * time.Minute},
		{"a clock that was ahead", ordering("a.com"), failed("a.com", 10*365*24*time.Hour), time.Minute, "a.com", 0},
		{"another CA", func() View {
			v := ordering("a.com", "a.com")
			v.State.Letsencrypt[ACMEServer] = "staging"
			return v
		}(), Orders{}, time.Minute, "a.com for 0000", 0},
		{"the CA's advice", ordering("a.com", "a.com"), Orders{Renewals: map[string]Renewal{"0000": {At: day0.Add(time.Hour)}}}, time.Hour, "a.com for 0000", 0},
		{"a grace period", func() View {
			v := ordering("a.com", "a.com")
			v.State.Letsencrypt[ACMEGrace] = "5184000"
			return v
		}(), Orders{}, time.Minute, "", month},
		{"the whole failed", ordering("a.com"), failed("", time.Minute), 2 * time.Minute, "", 11 * time.Minute},
		{"an address has its own", ordering("a.com 203.0.113.7"), Orders{}, time.Minute, "a.com; 203.0.113.7", 0},
		{"it is switched off", func() View {
			v := ordering("a.com")
			v.State.EnableACME(false)
			return v
		}(), Orders{}, time.Minute, "", 0},
	} {
		orders, next := test.v.Due(test.o, Look{Now: day0.Add(test.at), Changed: day0})
		if got := planned(orders); got != test.want {
			t.Errorf("%s: got %q, want %q", test.about, got, test.want)
		}
		if test.want == "" && test.next != 0 && !next.Equal(day0.Add(test.next)) || test.next == 0 && test.want == "" && !next.IsZero() {
			t.Errorf("%s: the next look is %s", test.about, next)
		}
	}
}

// TestPersonsOrder: somebody who has mended the DNS does not wait for the agent's pause,
// but for the CA's.
func TestPersonsOrder(t *testing.T) {
	v := ordering("a.com")
	var o Orders
	o.Fail("a.com", "dns", "no such name", time.Time{}, day0)
	look := Look{Now: day0.Add(time.Minute), Changed: day0.Add(time.Minute), Person: true}
	if orders, _ := v.Due(o, look); planned(orders) != "a.com" {
		t.Errorf("after a pause of ours: %q", planned(orders))
	}
	o.Fail("a.com", "rateLimited", "too many", day0.Add(time.Hour), day0)
	orders, next := v.Due(o, look)
	if len(orders) > 0 || !next.Equal(day0.Add(time.Hour)) {
		t.Errorf("after a pause of the CA's: %q, next at %s", planned(orders), next)
	}
	look.Force = true
	if orders, _ := v.Due(o, look); len(orders) > 0 {
		t.Errorf("--force goes over the CA's pause: %q", planned(orders))
	}
	v = ordering("a.com", "a.com")
	if orders, _ := v.Due(Orders{}, look); planned(orders) != "a.com for 0000" {
		t.Errorf("--force orders %q", planned(orders))
	}
}

// TestPausesGrow: five failed validations in an hour are Let's Encrypt's limit.
func TestPausesGrow(t *testing.T) {
	var o Orders
	var tries []time.Duration
	for at := day0; len(tries) < 12; at = o.Failures["a.com"].Next {
		tries = append(tries, at.Sub(day0))
		o.Fail("a.com", "dns", "", time.Time{}, at)
	}
	if want := []time.Duration{0, 10 * time.Minute, 30 * time.Minute, 70 * time.Minute}; !slices.Equal(tries[:4], want) {
		t.Errorf("tries at %s, want %s", tries, want)
	}
	if pause := tries[11] - tries[10]; pause != 24*time.Hour {
		t.Errorf("the longest pause is %s", pause)
	}
	if f := o.Failures["a.com"]; !f.Since.Equal(day0) || f.Count != 12 {
		t.Errorf("%d failures since %s", f.Count, f.Since)
	}
}

func TestManyNames(t *testing.T) {
	var domains []string
	for i := range 230 {
		domains = append(domains, fmt.Sprintf("d%d.shop.com", i))
	}
	v := ordering(strings.Join(domains, " "))
	orders, _ := v.Due(Orders{}, Look{Now: day0.Add(time.Hour), Changed: day0})
	if len(orders) != 3 || len(orders[0].Names) != 100 || len(orders[1].Names) != 100 || len(orders[2].Names) != 30 {
		t.Fatalf("%d orders", len(orders))
	}
	v = ordering(strings.Join(domains[1:], " "), strings.Join(domains[:100], " "), strings.Join(domains[100:200], " "), strings.Join(domains[200:], " "))
	orders, _ = v.Due(Orders{}, Look{Now: day0.Add(time.Hour), Changed: day0})
	if len(orders) != 1 || len(orders[0].Names) != 99 || orders[0].Replaces.ID != "0000" {
		t.Errorf("without one name: %d orders", len(orders))
	}
}

func TestACMENames(t *testing.T) {
	v := ordering("a.com _ *.b.com shop.lan intranet 192.168.1.7 203.0.113.7")
	names, refused := v.ACMENames()
	if got := strings.Join(names, " "); got != "a.com 203.0.113.7" {
		t.Errorf("names: %s", got)
	}
	var reasons []string
	for _, r := range refused {
		reasons = append(reasons, r.Domain+": "+r.Reason)
	}
	want := []string{
		"*.b.com: a wildcard is proved by DNS only: dokku letsencrypt:set shop dns-provider PROVIDER",
		"shop.lan: .lan is no public domain",
		"intranet: it is no public domain",
		"192.168.1.7: the address is not public",
	}
	if !slices.Equal(reasons, want) {
		t.Errorf("refused: %s", strings.Join(reasons, "\n"))
	}
	v.State.Letsencrypt[ACMEServer] = "https://ca.lan/acme/directory"
	v.State.Letsencrypt[ACMEProvider] = "exec"
	names, _ = v.ACMENames()
	if got := strings.Join(names, " "); got != "a.com *.b.com shop.lan intranet" {
		t.Errorf("of a private CA: %s", got)
	}

	auto := ordering("a.com x.b.com")
	auto.State.Letsencrypt = nil
	if names, _ := auto.ACMENames(); len(names) > 0 {
		t.Errorf("without anybody's wish: %q", names)
	}
	auto.Settings.Letsencrypt = map[string]string{ACMEAuto: "on"}
	auto.Settings.Certificate = &Certificate{ID: "ff", Names: []string{"*.b.com"}}
	if names, _ := auto.ACMENames(); strings.Join(names, " ") != "a.com" {
		t.Errorf("beside the server's wildcard: %q", names)
	}
	auto.State.Issued = []Certificate{{ID: "dd", Names: []string{"x.b.com"}}}
	if names, _ := auto.ACMENames(); strings.Join(names, " ") != "a.com x.b.com" {
		t.Errorf("with an ordered certificate beside the server's wildcard: %q", names)
	}
	auto.State.ProxyDisabled = true
	if names, _ := auto.ACMENames(); len(names) > 0 {
		t.Errorf("without the proxy: %q", names)
	}
	auto.State.ProxyDisabled, auto.State.Issued = false, nil
	auto.State.Certificate = &Certificate{ID: "ee", Names: []string{"a.com"}}
	if names, _ := auto.ACMENames(); len(names) > 0 {
		t.Errorf("beside a certificate of the admin's: %q", names)
	}
}

func TestNotPublic(t *testing.T) {
	for domain, want := range map[string]string{
		"shop.com": "", "*.shop.com": "", "shop.co.uk": "", "user.github.io": "", "xn--bcher-kva.de": "", "203.0.113.7": "",
		"localhost": "it is no public domain", "hello.server1": ".server1 is no public domain", "a.b.internal": ".internal is no public domain",
		"printer.local": ".local is no public domain", "www.example.com": ".example.com is no public domain", "x.home.arpa": ".home.arpa is no public domain",
		"abc.onion": ".onion is no public domain", "10.1.2.3": "the address is not public", "100.64.0.1": "the address is not public",
		"shop-.com": "a part of it begins or ends with -", "*.-a.shop.com": "a part of it begins or ends with -", "a-b.shop.com": "",
	} {
		if got := NotPublic(domain); got != want {
			t.Errorf("%s: got %q, want %q", domain, got, want)
		}
	}
}

// TestComing: nobody is promised what has failed before.
func TestComing(t *testing.T) {
	v := View{App: &App{Name: "shop", State: State{Domains: []string{"a.com", "b.com", "c.com"}, Issued: []Certificate{{ID: "1", Names: []string{"a.com"}, Authority: "x", NotAfter: time.Now().Add(time.Hour)}}}}}
	v.State.EnableACME(true)
	for _, c := range []struct {
		failed          string
		coming, failing []string
	}{
		{"none", []string{"b.com", "c.com"}, nil},
		{"b.com", []string{"c.com"}, []string{"b.com"}},
		{"a.com", []string{"b.com", "c.com"}, nil},
		{"", nil, []string{"b.com", "c.com"}},
	} {
		coming, failing := v.Coming(Orders{Failures: map[string]Failure{c.failed: {Count: 1}}})
		if !slices.Equal(coming, c.coming) || !slices.Equal(failing, c.failing) {
			t.Errorf("%q failed: coming %q, failing %q; want %q, %q", c.failed, coming, failing, c.coming, c.failing)
		}
	}
}
