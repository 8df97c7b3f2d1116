package vaults

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/go-units"

	"dokku/agent/app"
	"dokku/agent/command/cli"
	"dokku/agent/text"
	"dokku/agent/vault"
)

const timeForm = "2006-01-02 15:04:05 MST"

// shown is a backup in JSON.
type shown struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	State  string    `json:"state"`
	Place  string    `json:"place"`
	Name   string    `json:"name"`
	Size   int64     `json:"size"` // bytes
	SHA256 string    `json:"sha256,omitempty"`
	Found  string    `json:"found,omitempty"`
	Error  string    `json:"error,omitempty"`
	// Known: this server made it.
	Known bool `json:"known"`
}

func state(b vault.Backup) string {
	switch {
	case b.Proven:
		return "proven"
	case !b.Over:
		return "running"
	case b.Stored:
		return "not proven"
	}
	return "failed"
}

// known returns what list and report show, once their format is a valid one.
func known(c *cli.Call, j vault.Job) (p vault.Plan, l vault.Log, err error) {
	if err = cli.OneOf("--format", c.Value("format"), "stdout", "json"); err != nil {
		return p, l, err
	}
	if p, err = j.Plan(); err == nil {
		l, err = j.Log()
	}
	return p, l, err
}

// list shows the log, and what else is in the place: a new server finds there what the former
// one made.
func (n Noun) list(c *cli.Call, j vault.Job) error {
	p, l, err := known(c, j)
	if err != nil {
		return err
	}
	list := []shown{}
	mine := map[string]bool{}
	for _, b := range l.Backups {
		mine[b.Name] = true
		list = append(list, shown{b.ID, b.At, state(b), b.Place, b.Name, b.Size, b.SHA256, b.Found, b.Error, true})
	}
	if p.Place != "" {
		others, err := vault.Others(c.Ctx, p, j.Item, mine)
		if err != nil {
			c.Events().Warn("Only what this server made is listed: %s", n.explain(j, err))
		}
		for _, o := range others {
			list = append(list, shown{ID: o.ID, At: o.At, State: "of another server", Place: o.Place, Name: o.Name, Size: o.Size})
		}
	}
	slices.SortStableFunc(list, func(a, b shown) int { return b.At.Compare(a.At) })
	if c.Value("format") == "json" {
		return c.PrintJSON(list)
	}
	if c.Headings() {
		c.Heading("Backups of %s", j.About)
	}
	var rows [][]string
	for _, b := range list {
		size := "-"
		if b.Size > 0 {
			size = units.HumanSize(float64(b.Size))
		}
		rows = append(rows, []string{b.ID, b.At.Local().Format("2006-01-02 15:04"), size, b.State, b.Found + b.Error})
	}
	for _, line := range text.Columns(rows, 2) {
		c.Print("%s\n", line)
	}
	return nil
}

// cat prints the schedule as a line of a crontab, which clients of Dokku's plugins take apart.
func (n Noun) cat(c *cli.Call, j vault.Job) error {
	p, err := j.Plan()
	if err != nil {
		return err
	}
	if p.Schedule == "" {
		return cli.Refuse("There are no scheduled backups of %s", j.About)
	}
	words := []string{p.Schedule, "dokku", "/usr/bin/dokku", n.Make}
	if n.Words != "" {
		words = append(words, j.Item[strings.LastIndexByte(j.Item, '/')+1:])
	}
	words = append(words, strings.TrimPrefix(p.Place, "s3://"))
	if p.Access.IAM {
		words = append(words, "--use-iam")
	}
	c.Print("%s\n", strings.Join(words, " "))
	return nil
}

// report shows the plan without its secrets.
func (n Noun) report(c *cli.Call, j vault.Job) error {
	p, l, err := known(c, j)
	if err != nil {
		return err
	}
	hidden := func(s string) string {
		if s != "" {
			s = app.Hidden
		}
		return s
	}
	encryption := "none"
	if p.Passphrase != "" {
		encryption = "passphrase"
	} else if len(p.Keys) > 0 {
		encryption = strings.Join(p.Keys, ", ")
	}
	proven, next := "", ""
	if b, ok := l.Last(vault.Proven); ok {
		proven = b.At.UTC().Format(time.RFC3339) + " " + b.ID
	}
	if at := p.Next(time.Now()); !at.IsZero() {
		next = at.UTC().Format(time.RFC3339)
	}
	days := ""
	if p.KeepDays > 0 {
		days = strconv.Itoa(p.KeepDays)
	}
	ailment, err := j.Ailment(time.Now())
	if err != nil {
		return err
	}
	rows := [][2]string{{"place", p.Place}, {"schedule", p.Schedule}, {"next", next}, {"last-proven", proven}, {"problem", ailment}, {"keep", strconv.Itoa(p.Kept())},
		{"keep-days", days}, {"timeout", cmp.Or(p.Timeout, "12h")}, {"encryption", encryption}, {"access-key", p.Access.Key}, {"secret-key", hidden(p.Access.Secret)}, {"region", p.Access.Region},
		{"endpoint", p.Access.Endpoint}, {"use-iam", strconv.FormatBool(p.Access.IAM)}}
	if c.Value("format") == "json" {
		m := map[string]string{}
		for _, r := range rows {
			m[r[0]] = r[1]
		}
		return c.PrintJSON(m)
	}
	if c.Headings() {
		c.Heading("Backups of %s information", j.About)
	}
	for _, r := range rows {
		name := strings.ToUpper(r[0][:1]) + strings.ReplaceAll(r[0][1:], "-", " ") + ":"
		c.Print("%s\n", strings.TrimRight(fmt.Sprintf("       %-24s %s", name, r[1]), " "))
	}
	return nil
}

func (n Noun) get(c *cli.Call, j vault.Job) error {
	if c.Env.Terminal {
		return cli.Refuse("Cannot write a backup to a terminal: use > FILE")
	}
	s, from, err := n.Open(c, j)
	if err != nil {
		return err
	}
	defer s.Close()
	log, stop := c.Aside()
	defer stop()
	encrypted := from == nil
	if encrypted {
		from = s
	}
	out := bufio.NewWriterSize(c.Env.Stdout, 1<<16)
	if _, err := io.Copy(out, from); err != nil {
		return n.explain(j, err)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	said := ""
	if encrypted {
		said = ", encrypted: age -d -i PRIVATE_KEY decrypts it"
	}
	log.Result("Wrote %s%s", s.ID, said)
	return nil
}

// maxIdentity is the size in bytes of the largest file with a private key.
const maxIdentity = 64 << 10

// readIdentity reads what --identity names; nil without the flag.
func readIdentity(c *cli.Call) ([]byte, error) {
	file := c.Value("identity")
	switch {
	case file == "":
		return nil, nil
	case file == "-" && cli.AtTerminal(c.Env.Stdin):
		return nil, cli.Refuse("Cannot read a private key from a terminal: use < FILE")
	case file == "-":
		return io.ReadAll(io.LimitReader(c.Env.Stdin, maxIdentity))
	case c.Env.User != "":
		return nil, cli.Refuse("Cannot read %q over ssh, since it would be a file on the server: use --identity - < FILE", file)
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrPermission) {
		return nil, cli.Refuse("Cannot read %s as the owner of %s: use --identity - < %[1]s", file, c.Env.Root)
	}
	if err != nil {
		return nil, cli.Refuse("Cannot read the private key: %s", err)
	}
	return data, nil
}

// Open opens the backup that a call names, or the last proven one. plain is its content; nil if
// it is encrypted and the call has no key. The caller closes s.
func (n Noun) Open(c *cli.Call, j vault.Job) (s vault.Stored, plain io.Reader, err error) {
	p, err := j.Plan()
	if err != nil {
		return s, nil, err
	}
	identity, err := readIdentity(c)
	if err != nil {
		return s, nil, err
	}
	id := ""
	if len(c.Args) > 0 {
		id = c.Args[0]
	}
	if s, err = j.Fetch(c.Ctx, p, j.Item, id); err != nil {
		return s, nil, n.explain(j, err)
	}
	switch {
	case !s.Encrypted:
		return s, s, nil
	case p.Passphrase == "" && identity == nil:
		return s, nil, nil
	}
	if plain, err = vault.Unseal(s, p.Passphrase, identity); err != nil {
		s.Close()
	}
	return s, plain, err
}
