package move

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"dokku/agent/event"
	"dokku/agent/services"
)

// A Service is what a Dokku server has of a service of a plugin for databases.
type Service struct {
	services.Ref
	Kind    services.Kind
	Options services.Options // with the secrets
	Ports   []string         // of the server, at which it is reached
	Links   []string         // the apps that are linked to it
	Status  string           // "running"

	err  error // why it cannot be read
	dump Held  // nil: its data do not come
}

// ReadServices reads the services of the kinds that this server has, except for those that
// wanted leaves out, and makes their dumps ready: see Drop. One that cannot be read keeps no
// other: its import fails.
func (s *Server) ReadServices(ctx context.Context, kinds []services.Kind, wanted func(*Service) bool) error {
	for _, k := range kinds {
		list, err := s.dokku(ctx, k.Name+":list")
		var failed *Failed
		if errors.As(err, &failed) {
			continue // no such plugin
		}
		if err != nil {
			return err
		}
		for _, name := range lines(list) {
			if services.ValidName(name) != nil {
				continue // words about an empty list
			}
			v := &Service{Ref: services.Ref{Kind: k.Name, Name: name}, Kind: k}
			links, err := s.dokku(ctx, k.Name+":links", name)
			if v.Links = lines(links); !wanted(v) {
				continue
			}
			if err == nil {
				err = s.service(ctx, v)
			}
			if v.err = err; err != nil && !errors.As(err, &failed) && !errors.Is(err, errService) {
				return err
			}
			s.Services = append(s.Services, v)
		}
	}
	return nil
}

// Drop ends what ReadServices has made ready and nobody needed.
func (s *Server) Drop() {
	for _, v := range s.Services {
		if v.dump != nil {
			v.dump.Drop()
		}
	}
}

// databaseName bounds what gets into command lines.
var databaseName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$`)

// errService is about one service: what it says of itself makes no sense.
var errService = errors.New("cannot read a service")

// service reads a service.
func (s *Server) service(ctx context.Context, v *Service) error {
	text, err := s.dokku(ctx, v.Ref.Kind+":info", v.Name)
	if err != nil {
		return err
	}
	info, err := ParseReport(v.Ref.Kind, text)
	if err != nil {
		return fmt.Errorf("%w: %w", errService, err)
	}
	v.Status = info["status"]
	for word := range strings.FieldsSeq(info["exposed-ports"]) {
		if _, port, ok := strings.Cut(word, "->"); ok {
			v.Ports = append(v.Ports, port)
		}
	}
	root := info["service-root"]
	if !path.IsAbs(root) {
		return fmt.Errorf("%w: dokku %s:info %s does not tell its folder there", errService, v.Ref.Kind, v.Name)
	}
	own, err := s.file(ctx, path.Join(root, "service.json"))
	if err != nil {
		return err
	}
	if own != "" {
		err = v.readRecord(own)
	} else {
		err = s.readFiles(ctx, v, root, info)
	}
	if err == nil && (!databaseName.MatchString(v.Options.Database) || strings.ContainsFunc(v.Options.Password+v.Options.RootPassword, unicode.IsControl)) {
		err = fmt.Errorf("%w: its database is called %q, or a password has control characters", errService, v.Options.Database)
	}
	if err != nil || !v.Kind.Dumps() {
		return err
	}
	v.dump, err = s.Host.Hold(v.dumping()...)
	return err
}

// readRecord reads the record of a service of this program.
func (v *Service) readRecord(text string) error {
	var r services.Service
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return fmt.Errorf("%w: its record: %w", errService, err)
	}
	c, env := r.Container, strings.Join(r.Container.Env, ";")
	v.Options = services.Options{Image: c.Image, Env: &env, Config: &c.Options, Memory: c.Memory,
		Password: r.Password, RootPassword: r.RootPassword, Database: r.Database, Properties: r.Properties}
	if c.ShmSize > 0 {
		v.Options.ShmSize = strconv.FormatInt(c.ShmSize, 10)
	}
	return nil
}

// readFiles reads the files in which Dokku's plugins keep a service, each with one value.
func (s *Server) readFiles(ctx context.Context, v *Service, root string, info Report) error {
	value := map[string]string{}
	for _, name := range []string{"PASSWORD", "ROOTPASSWORD", "DATABASE_NAME", "IMAGE", "IMAGE_VERSION", "ENV", "CONFIG_OPTIONS", "SERVICE_MEMORY", "SHM_SIZE"} {
		text, err := s.file(ctx, path.Join(root, name))
		if err != nil {
			return err
		}
		value[name] = strings.TrimSpace(text)
	}
	env, config := strings.Join(strings.Split(value["ENV"], "\n"), ";"), value["CONFIG_OPTIONS"]
	v.Options = services.Options{Env: &env, Config: &config, Password: value["PASSWORD"], RootPassword: value["ROOTPASSWORD"],
		Database: cmp.Or(value["DATABASE_NAME"], v.Name), ShmSize: value["SHM_SIZE"], Properties: map[string]string{}}
	if v.Options.Image = info["version"]; v.Options.Image == "" && value["IMAGE"] != "" {
		v.Options.Image = value["IMAGE"] + ":" + value["IMAGE_VERSION"] // its container is gone
	}
	if value["SERVICE_MEMORY"] != "" {
		n, err := strconv.Atoi(value["SERVICE_MEMORY"])
		if err != nil {
			return fmt.Errorf("%w: its memory is %q, which is no number", errService, value["SERVICE_MEMORY"])
		}
		v.Options.Memory = n
	}
	for _, name := range services.Properties {
		if info[name] != "" {
			v.Options.Properties[name] = info[name]
		}
	}
	return nil
}

// record is the service as its kind's commands see it.
func (v *Service) record() *services.Service {
	return &services.Service{Kind: v.Ref.Kind, Name: v.Name, Password: v.Options.Password, RootPassword: v.Options.RootPassword, Database: v.Options.Database}
}

// script waits for variables and an empty line. It counts, dumps to standard output, and
// counts again; the numbers go to standard error. Without the empty line it does nothing.
const script = `while IFS= read -r line; do [ -n "$line" ] || { go=1; break; }; export "$line"; done
[ -n "$go" ] || exit 0
kind=$1 name=$2; shift 2
count() { [ $# -eq 0 ] || echo "dokku-import-count $("$@" 2>/dev/null </dev/null)." >&2; }
count "$@"
dokku --quiet "$kind:export" "$name" </dev/null || exit
count "$@"
exit 0`

// dumping is the program that dumps the service. It counts by Docker: the plugins have no
// command for it. Variables, which have the secrets, come by its input.
func (v *Service) dumping() []string {
	line := []string{"sh", "-c", script, "sh", v.Ref.Kind, v.Name}
	argv, env := v.Kind.Counting(v.record())
	if len(argv) == 0 {
		return line
	}
	line = append(line, "docker", "container", "exec")
	for _, pair := range env {
		name, _, _ := strings.Cut(pair, "=")
		line = append(line, "--env", name)
	}
	return append(append(line, v.ContainerName()), argv...)
}

var counted = regexp.MustCompile(`(?:; )?dokku-import-count\s*(\d*)\.`)

// Dump implements services.Source.
func (v *Service) Dump(ctx context.Context, w io.Writer) (before, after int, err error) {
	before, after = services.Unknown, services.Unknown
	_, env := v.Kind.Counting(v.record())
	dump := v.dump
	if v.dump = nil; dump == nil {
		return before, after, fmt.Errorf("cannot export %s: it was read already", v.Ref)
	}
	said, err := dump.Run(ctx, strings.Join(append(slices.Clone(env), "", ""), "\n"), w)
	var failed *Failed
	if errors.As(err, &failed) {
		failed.Text = strings.TrimPrefix(counted.ReplaceAllString(failed.Text, ""), "; ")
		return before, after, fmt.Errorf("dokku %s:export %s fails there: %w", v.Ref.Kind, v.Name, failed)
	}
	if m := counted.FindAllStringSubmatch(said, -1); err == nil && len(m) == 2 {
		before, after = number(m[0][1]), number(m[1][1])
	}
	return before, after, err
}

// number reads what count has printed.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		return services.Unknown
	}
	return n
}

// equal are the plugins whose settings are taken over.
var equal = []string{"http-auth", "letsencrypt", "maintenance", "redirect"}

// ReadPlugins finds out what to say about plugins that have no equal here. Services of the
// kinds are those of ReadServices.
func (s *Server) ReadPlugins(ctx context.Context, kinds []services.Kind) error {
	for _, name := range slices.Sorted(maps.Keys(s.Plugins)) {
		if slices.Contains(equal, name) || slices.ContainsFunc(kinds, func(k services.Kind) bool { return k.Name == name }) {
			continue
		}
		// The plugins for databases answer NAME:list; others do not have it.
		list, err := s.dokku(ctx, name+":list")
		var failed *Failed
		if err != nil && !errors.As(err, &failed) {
			return err
		}
		if found := lines(list); err == nil && len(found) > 0 {
			for i, line := range found {
				found[i] = event.Printable(strings.Fields(line)[0])
			}
			s.others = append(s.others, fmt.Sprintf("the plugin %s has no kind of service here, and its services are not moved: %s. Run each as a container of its own (README, \"A database beside the app\")",
				event.Printable(name), strings.Join(found, " ")))
			continue
		}
		s.others = append(s.others, fmt.Sprintf("the plugin %s has no equal here (dokku plugin:list shows what is built in)", event.Printable(name)))
	}
	return nil
}
