package vaults

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"dokku/agent/command/cli"
	"dokku/agent/vault"
	"dokku/scale"
)

// A Noun makes the commands about the backups of one kind of thing.
type Noun struct {
	// Prefix begins the commands' names: "backup:", "postgres:backup-".
	Prefix string
	// Make is the name of the command that makes a backup: "backup:run".
	Make string
	// Words name the thing in usage lines, with a blank at the end: "", "APP MOUNT ".
	Words string
	// About names the thing in help: "the server".
	About string
	// Load is what a person does with what the command get prints, in help.
	Load string
	// Missing is the message for a missing word; "": one that names the word.
	Missing string
	// Job returns what the words of a call name, and takes them out of c.Args.
	Job func(c *cli.Call) (vault.Job, error)
}

// Commands returns the commands.
func (n Noun) Commands() []cli.Spec {
	format := func(f *pflag.FlagSet) { f.String("format", "stdout", "stdout or json") }
	specs := []cli.Spec{
		{
			Use: n.Make + " " + n.Words + "[PLACE]", Short: "Back up " + n.About + " to a place now",
			Long: "PLACE is s3://BUCKET, s3://BUCKET/FOLDER or a folder of this server; without it, the one of " + n.Prefix + "schedule or " + n.Prefix + "set place.\n" +
				"The backup is loaded again elsewhere and read back from its place, which proves it. Old ones are removed: " + n.Prefix + "set keep.",
			Flags: n.iam, Run: n.with(n.run),
		},
		{
			Use: n.Prefix + "auth " + n.Words + "[ACCESS_KEY] [SECRET_KEY] [REGION] [SIGNATURE_VERSION] [ENDPOINT]", Short: "Set the access to S3 for backups of " + n.About,
			Long: "Without SECRET_KEY it is read from standard input. ENDPOINT is the URL of another service than Amazon's; its buckets are named in\n" +
				"paths. SIGNATURE_VERSION is accepted as Dokku's plugins have it, and always 4.",
			Example: "dokku " + n.Prefix + "auth " + strings.ToLower(n.Words) + "AKIAIOSFODNN7EXAMPLE --endpoint https://s3.example.com < secret",
			Flags: func(f *pflag.FlagSet) {
				f.String("region", "", "the region of the bucket")
				f.String("endpoint", "", "the URL of a service other than Amazon's")
				n.iam(f)
			},
			Run: n.with(n.auth),
		},
		{Use: n.Prefix + "deauth " + n.Words, Short: "Forget the access to S3", Run: n.with(func(c *cli.Call, j vault.Job) error {
			return n.change(c, j, "The access to S3 is forgotten", func(p *vault.Plan) error { p.Access = vault.Access{}; return nil })
		})},
		{
			Use: n.Prefix + "schedule " + n.Words + "SCHEDULE [PLACE]", Short: "Back up " + n.About + " again and again",
			Long:    "SCHEDULE has the five fields of cron, in the time zone of the server. What was due while the server was off is made up once, and a failed\nbackup is tried again. PLACE is as for " + n.Make + ".",
			Example: "dokku " + n.Prefix + "schedule " + strings.ToLower(n.Words) + "\"0 3 * * *\" s3://backups",
			Flags:   n.iam, Run: n.with(n.schedule),
		},
		{Use: n.Prefix + "schedule-cat " + n.Words, Short: "Show the schedule as a line of a crontab, as Dokku's plugins do", Run: n.with(n.cat)},
		{Use: n.Prefix + "unschedule " + n.Words, Short: "End the schedule; backups that were made stay", Run: n.with(func(c *cli.Call, j vault.Job) error {
			return n.change(c, j, "No more backups of "+j.About+" by themselves", func(p *vault.Plan) error { p.Schedule = ""; return nil })
		})},
		{
			Use: n.Prefix + "set-encryption " + n.Words + "[KEY...]", Short: "Encrypt backups to public keys of age or ssh, or with a passphrase",
			Long: "KEY is a public key of age (age1...; age-keygen makes one) or of ssh (ssh-ed25519 ..., ssh-rsa ...). The private key stays with you: without it\n" +
				"nobody can read the backups, this server included. Anything else is a passphrase, which this server keeps. Without KEY it is read from standard input.",
			Run: n.with(n.encrypt),
		},
		{Use: n.Prefix + "unset-encryption " + n.Words, Short: "Do not encrypt backups any more", Run: n.with(func(c *cli.Call, j vault.Job) error {
			return n.change(c, j, "The next backups are not encrypted", func(p *vault.Plan) error { p.Keys, p.Passphrase = nil, ""; return nil })
		})},
		{
			Use: n.Prefix + "set " + n.Words + "KEY [VALUE]", Short: "Set where backups go, how many stay and how long one may take",
			Long:    fmt.Sprintf("Properties: place, keep (a number of proven backups, %d if unset), keep-days, timeout (12h if unset; one that takes longer fails). Without a value, the property is unset. The last\nproven backup always stays, and so do those of other servers in the same place.", vault.DefaultKeep),
			Missing: "No property specified", Run: n.with(n.set),
		},
		{Use: n.Prefix + "list " + n.Words, Short: "List the backups of " + n.About, Flags: format, Run: n.with(n.list)},
		{Use: n.Prefix + "report " + n.Words, Short: "Show the plan of the backups of " + n.About, Flags: format, Run: n.with(n.report)},
		{
			Use: n.Prefix + "get " + n.Words + "[BACKUP]", Short: "Write a kept backup to standard output",
			Long: "BACKUP is an id of " + n.Prefix + "list; without it, it is the last proven one. " + n.Load + "\n" +
				"An encrypted backup is decrypted with the passphrase that is set, or with the private key in --identity; with neither, it comes as it is\n" +
				"stored, and the program age decrypts it.",
			Flags: func(f *pflag.FlagSet) {
				f.String("identity", "", "the file with the private key of age or ssh; - is standard input")
			},
			Run: n.with(n.get),
		},
	}
	for i := range specs {
		specs[i].Use = strings.TrimRight(specs[i].Use, " ")
		specs[i].Role = cli.Admin // places and access of the server may be named, and a backup has other people's data
		if n.Missing != "" {
			specs[i].Missing = n.Missing
		}
	}
	return specs
}

func (n Noun) iam(f *pflag.FlagSet) {
	f.BoolP("use-iam", "u", false, "take the access to S3 from the role of this machine")
}

// with finds the job of a call.
func (n Noun) with(run func(*cli.Call, vault.Job) error) func(*cli.Call) error {
	return func(c *cli.Call) error {
		j, err := n.Job(c)
		if err != nil {
			return err
		}
		return run(c, j)
	}
}

func (n Noun) change(c *cli.Call, j vault.Job, said string, change func(*vault.Plan) error) error {
	if err := j.Change(c.Ctx, time.Now(), change); err != nil {
		return err
	}
	c.Events().Result("%s", said)
	return nil
}

// place reads a word that names a place. A bucket's name alone is one in S3, as in Dokku's plugins.
func (n Noun) place(c *cli.Call, word string) (string, error) {
	if !strings.Contains(word, "/") && word != "" {
		word = "s3://" + word
	}
	if err := vault.CheckPlace(word); err != nil {
		return "", err
	}
	if c.Env.User != "" && !vault.InS3(word) {
		return "", cli.Refuse("Cannot name the folder %q over ssh, since it would be one of the server: name a bucket, or run the command on the server", word)
	}
	return word, nil
}

// access adds what the flag --use-iam says. A role is the machine's, so only somebody on it may use it.
func (n Noun) access(c *cli.Call, p *vault.Plan) error {
	if !c.Flag("use-iam") {
		return nil
	}
	if c.Env.User != "" {
		return cli.Refuse("Cannot use the role of the server over ssh: run the command on the server, or %sauth takes a key", n.Prefix)
	}
	p.Access.IAM = true
	return nil
}

// words name a job's thing in a command that helps, with a blank at the end: "", "db ".
func (n Noun) words(j vault.Job) string {
	_, words, _ := strings.Cut(j.Try, n.Make)
	return strings.TrimPrefix(words+" ", " ")
}

// explain adds the command that helps.
func (n Noun) explain(j vault.Job, err error) error {
	switch {
	case errors.Is(err, vault.ErrNoPlace):
		return fmt.Errorf("%w: name one, or set it: dokku %sset %splace s3://BUCKET", err, n.Prefix, n.words(j))
	case errors.Is(err, vault.ErrNoAccess):
		return fmt.Errorf("%w: dokku %sauth %sACCESS_KEY SECRET_KEY", err, n.Prefix, n.words(j))
	case errors.Is(err, vault.ErrNone):
		return fmt.Errorf("%w: dokku %slist %slists them", err, n.Prefix, n.words(j))
	}
	return err
}

func (n Noun) run(c *cli.Call, j vault.Job) error {
	p, err := j.Plan()
	if err == nil {
		err = n.access(c, &p)
	}
	if err != nil {
		return err
	}
	var o vault.Options
	if len(c.Args) > 0 {
		if o.Place, err = n.place(c, c.Args[0]); err != nil {
			return err
		}
	}
	at := p
	if o.Place != "" {
		at.Place = o.Place
	}
	if _, err := vault.Open(at); err != nil {
		return n.explain(j, err)
	}
	log := c.Events()
	log.Step("Backing up %s", j.About)
	b, err := j.Run(c.Ctx, p, j.Source, o, log)
	if err != nil {
		return n.explain(j, err)
	}
	log.Result("Backed up %s in %s: %s", j.About, b.Place+"/"+b.Name, b.Summary())
	if !p.Encrypts() {
		log.Detail("It is not encrypted, and may have secrets: dokku %sset-encryption %sKEY", n.Prefix, n.words(j))
	}
	return nil
}

func (n Noun) auth(c *cli.Call, j vault.Job) error {
	word := func(i int) string {
		if i < len(c.Args) {
			return c.Args[i]
		}
		return ""
	}
	a := vault.Access{Key: word(0), Secret: word(1), Region: word(2), Endpoint: word(4), Public: c.Env.User != ""}
	if v := c.Value("region"); v != "" {
		a.Region = v
	}
	if v := c.Value("endpoint"); v != "" {
		a.Endpoint = v
	}
	p := vault.Plan{}
	if err := n.access(c, &p); err != nil {
		return err
	}
	a.IAM = p.Access.IAM
	switch {
	case a.IAM && a.Key != "":
		return c.UsageError("--use-iam takes no access key")
	case !a.IAM && a.Key == "":
		return c.UsageError("Missing ACCESS_KEY")
	case !a.IAM && a.Secret == "":
		secret, err := c.ReadPassword()
		if err != nil {
			return err
		}
		if a.Secret = secret; secret == "" {
			return c.UsageError("Missing SECRET_KEY: give it as a word, or on standard input")
		}
	}
	if v := strings.TrimPrefix(strings.TrimPrefix(word(3), "s3"), "v"); v != "" && v != "4" {
		return cli.Refuse("Invalid signature version %q: it is always 4 here", word(3))
	}
	set, err := c.Server.Settings()
	if err != nil {
		return err
	}
	a.Public = a.Public && !set.PrivateHooks
	return n.change(c, j, "The access to S3 is set", func(p *vault.Plan) error { p.Access = a; return nil })
}

func (n Noun) schedule(c *cli.Call, j vault.Job) error {
	if _, err := scale.ParseSchedule(c.Args[0]); err != nil {
		return cli.Refuse("Invalid schedule %q: %s", c.Args[0], err)
	}
	place := ""
	if len(c.Args) > 1 {
		var err error
		if place, err = n.place(c, c.Args[1]); err != nil {
			return err
		}
	}
	var next time.Time
	err := j.Change(c.Ctx, time.Now(), func(p *vault.Plan) error {
		p.Schedule = c.Args[0]
		if place != "" {
			p.Place = place
		}
		next = p.Next(time.Now())
		return n.access(c, p)
	})
	if err != nil {
		return err
	}
	// A plan without a place, or without access to it, would fail at night.
	p, err := j.Plan()
	if err == nil {
		_, err = vault.Open(p)
	}
	if err != nil {
		c.Events().Warn("The schedule is set, but backups cannot be made: %s", n.explain(j, err))
		return nil
	}
	c.Events().Result("The next backup of %s: %s", j.About, next.Format(timeForm))
	return nil
}

func (n Noun) encrypt(c *cli.Call, j vault.Job) error {
	text := strings.Join(c.Args, "\n")
	if text == "" {
		var err error
		if text, err = c.ReadPassword(); err != nil {
			return err
		}
	}
	if strings.TrimSpace(text) == "" {
		return c.UsageError("Missing KEY: give a public key or a passphrase, as a word or on standard input")
	}
	keys, passphrase, err := readKeys(text)
	if err != nil {
		return err
	}
	said := "Backups are encrypted with the passphrase; age -d decrypts them"
	if passphrase == "" {
		said = "Backups are encrypted; age -d -i PRIVATE_KEY decrypts them"
	}
	return n.change(c, j, said, func(p *vault.Plan) error { p.Keys, p.Passphrase = keys, passphrase; return nil })
}

// readKeys reads public keys, one a line, or a passphrase.
func readKeys(text string) (keys []string, passphrase string, err error) {
	if strings.Contains(text, "PRIVATE KEY") || strings.Contains(text, "AGE-SECRET-KEY-") {
		return nil, "", vault.CheckKey(text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "age1") || strings.HasPrefix(line, "ssh-"):
			if err := vault.CheckKey(line); err != nil {
				return nil, "", err
			}
			keys = append(keys, line)
		case keys == nil && strings.TrimSpace(text) == line:
			return nil, line, nil
		default:
			return nil, "", fmt.Errorf("%.40q is no public key of age (age1...), nor of ssh (ssh-ed25519 or ssh-rsa); a passphrase stands alone", line)
		}
	}
	return keys, "", nil
}

func (n Noun) set(c *cli.Call, j vault.Job) error {
	name, value := c.Args[0], strings.Join(c.Args[1:], " ")
	var change func(*vault.Plan) error
	said := "Setting " + name + " to " + value
	if value == "" {
		said = "Unsetting " + name
	}
	switch name {
	case "place":
		place := ""
		if value != "" {
			var err error
			if place, err = n.place(c, value); err != nil {
				return err
			}
		}
		change = func(p *vault.Plan) error { p.Place = place; return nil }
	case "keep", "keep-days":
		most := map[string]int{"keep": vault.MaxKeep, "keep-days": vault.MaxKeepDays}[name]
		k, err := vault.ParseKeep(value, most)
		if err != nil {
			return cli.Refuse("Invalid %s specified: %s", name, err)
		}
		change = func(p *vault.Plan) error {
			if name == "keep" {
				p.Keep = k
			} else {
				p.KeepDays = k
			}
			return nil
		}
	case "timeout":
		if _, err := vault.ParseTimeout(value); err != nil {
			return cli.Refuse("Invalid timeout specified: %s", err)
		}
		change = func(p *vault.Plan) error { p.Timeout = value; return nil }
	default:
		return cli.Refuse("Invalid property specified, valid properties include: keep, keep-days, place, timeout")
	}
	return n.change(c, j, said, change)
}
