package services

import (
	"bytes"
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"

	"dokku/build"
)

// A Kind is what services of one kind have in common: the content of its file. Texts of
// commands, variables and files may have placeholders, see placeholders.
type Kind struct {
	Name    string `toml:"-"`
	Title   string `toml:"title"`
	Image   string `toml:"image"`
	Version string `toml:"version"` // of the image, unless --image-version names another one
	// Ports are the container's. The first is that of the URL.
	Ports  []int  `toml:"ports"`
	Scheme string `toml:"scheme"` // of the URL
	Alias  string `toml:"alias"`  // the variable of a link, without its end _URL
	User   string `toml:"user"`
	URL    string `toml:"url"`
	// The number of random bytes of a generated password; 0: there is no password.
	PasswordBytes     int `toml:"password_bytes"`
	RootPasswordBytes int `toml:"root_password_bytes"`
	// Command replaces the image's; Options is the default of --config-options.
	Command []string `toml:"command"`
	Options string   `toml:"options"`
	// Memory is the default of --memory, in megabytes, and Overhead what the container gets
	// beside it.
	Memory   int               `toml:"memory"`
	Overhead int               `toml:"memory_overhead"`
	Env      map[string]string `toml:"env"`
	Data     []Data            `toml:"data"`
	Config   Config            `toml:"config"`
	// Unrestricted: its image needs rights of Docker's defaults that an isolated app does not
	// have, such as sudo. Else the containers of new services have none of them, and at most
	// pidsLimit processes: an app that is linked may run programs by its database.
	Unrestricted bool `toml:"unrestricted"`
	// InPlace: a server reads the data of any earlier version.
	InPlace bool `toml:"in_place"`

	Ready   Exec  `toml:"ready"` // succeeds once the service can be used; without one, it listens
	Init    Exec  `toml:"init"`  // runs when a service is ready for the first time; it may run again
	Dump    Exec  `toml:"dump"`  // prints all data
	Load    Load  `toml:"load"`
	Count   Count `toml:"count"`
	Console Exec  `toml:"console"`
	Upgrade Copy  `toml:"upgrade"`
}

// Data is a folder that a volume of the service keeps.
type Data struct {
	Path string `toml:"path"`
	// Below: only for images whose version begins with a lower number; 0: for all.
	Below int `toml:"below"`
}

// Config is a folder of configuration that the service reads. Its files are made with the
// service; whoever administers the host may change them.
type Config struct {
	Path  string            `toml:"path"`
	Files map[string]string `toml:"files"`
}

// Exec is a command that runs in the service's container.
type Exec struct {
	Command []string          `toml:"command"`
	Env     map[string]string `toml:"env"`
}

// Load is the command that reads what Dump has printed.
type Load struct {
	Exec
	// Offline: it runs in a container of its own, with an empty volume that the service then
	// gets in place of its own.
	Offline bool `toml:"offline"`
	// Atomic: where it fails or is killed, the data are as they were.
	Atomic bool `toml:"atomic"`
}

// Copy says which versions do not share their data, and how the data come from the one to
// the other. All commands run in a container of the new version, unless they say otherwise.
type Copy struct {
	// Numbers is how many numbers of a version name the format of the data: with 1, 15.4 and
	// 15.6 have the same, with 2, 10.6 and 10.11 do not. 0 is 1. See also Kind.InPlace.
	Numbers int `toml:"numbers"`
	// Dump prints the data of the server {source}. Without it, Kind.Dump and Kind.Load do, the
	// former in the container of the old version.
	Dump Exec `toml:"dump"`
	Load Exec `toml:"load"`
	// Compare prints what there is, in lines of the same order, in both containers: the copy
	// stands only if both print the same. Without it, Kind.Count does.
	Compare Exec `toml:"compare"`
}

// Count is a command that prints how many things of a unit a service has, such as "table".
type Count struct {
	Exec
	Unit string `toml:"unit"`
	// Expires: things go by themselves, so a copy may have fewer.
	Expires bool `toml:"expires"`
}

// placeholders are the names that texts of a kind may have in braces.
var placeholders = []string{"name", "host", "hostname", "port", "scheme", "user", "database", "password", "root_password", "memory",
	"tls_key", "tls_certificate", "source"}

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

//go:embed kinds/*.toml
var embedded embed.FS

// builtin are the kinds of this program, in the order of their names. A test reads them all.
var builtin = sync.OnceValues(func() ([]Kind, error) {
	sub, err := fs.Sub(embedded, "kinds")
	if err != nil {
		return nil, err
	}
	return read(sub, "")
})

// Kinds returns the kinds of this program, and those of the files *.toml in dir, sorted by
// name. A file of a name that is there already replaces that kind. The error is about files
// that say no kind, with their lines; the other kinds are returned all the same.
func Kinds(dir string) ([]Kind, error) {
	list, err := builtin()
	if err != nil {
		return nil, err
	}
	if _, missing := os.Stat(dir); missing != nil {
		return list, nil
	}
	own, err := read(os.DirFS(dir), dir)
	list = slices.DeleteFunc(slices.Clone(list), func(k Kind) bool {
		return slices.ContainsFunc(own, func(o Kind) bool { return o.Name == k.Name })
	})
	list = append(list, own...)
	slices.SortFunc(list, func(a, b Kind) int { return cmp.Compare(a.Name, b.Name) })
	return list, err
}

// read reads the kinds of a folder; dir is its name in errors.
func read(from fs.FS, dir string) (list []Kind, failed error) {
	files, err := fs.Glob(from, "*.toml")
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		data, err := fs.ReadFile(from, file)
		var k Kind
		if err == nil {
			k, err = parse(filepath.Join(dir, file), data)
		}
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		list = append(list, k)
	}
	return list, failed
}

// kindName bounds the name: with that of a service it makes a host name.
var kindName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,15}$`)

// ValidKind reports whether a kind of service may have the name.
func ValidKind(name string) bool { return kindName.MatchString(name) }

// parse reads the file of a kind. Errors name the file and the line.
func parse(file string, data []byte) (Kind, error) {
	k := Kind{Name: strings.TrimSuffix(filepath.Base(file), ".toml")}
	if !kindName.MatchString(k.Name) {
		return k, fmt.Errorf("%s: the name of the file is the name of the commands: it needs lowercase letters, digits and -, 16 at most", file)
	}
	err := toml.NewDecoder(bytes.NewReader(data)).DisallowUnknownFields().Decode(&k)
	at, key, message, known := build.TOMLProblem(err)
	var unknown *toml.StrictMissingError
	switch {
	case err == nil:
	case errors.As(err, &unknown):
		return k, fmt.Errorf("%s:%d: %s is no setting of a kind", file, at, strings.Join(unknown.Errors[0].Key(), "."))
	case key != "":
		return k, fmt.Errorf("%s:%d: %s: %s", file, at, key, message)
	case known:
		return k, fmt.Errorf("%s:%d: %s", file, at, message)
	default:
		return k, fmt.Errorf("%s: %w", file, err)
	}
	if key, why := k.check(); why != "" {
		return k, fmt.Errorf("%s:%d: %s %s", file, line(data, strings.Split(key, ".")), key, why)
	}
	return k, nil
}

// line is the line of a key in a file that could be parsed; 1: it is not there.
func line(data []byte, key []string) int {
	last := regexp.QuoteMeta(key[len(key)-1])
	form := regexp.MustCompile(`(^|[{,])\s*"?` + last + `"?\s*=|^\s*\[\[?(.*\.)?"?` + last + `"?\]\]?`)
	table := ""
	found := 0
	for n, text := range strings.Split(string(data), "\n") {
		trimmed := strings.TrimSpace(text)
		if strings.HasPrefix(trimmed, "[") {
			table = strings.Trim(trimmed, "[]")
		}
		if form.MatchString(text) && (found == 0 || table == strings.Join(key[:len(key)-1], ".")) {
			found = n + 1
		}
	}
	return max(found, 1)
}

var aliasForm = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// check says which key of a kind is wrong, and why; "": none is.
func (k Kind) check() (key, why string) {
	for key, missing := range map[string]bool{"title": k.Title == "", "image": k.Image == "", "version": k.Version == "",
		"url": k.URL == "", "scheme": k.Scheme == "", "ports": len(k.Ports) == 0} {
		if missing {
			return key, "is missing"
		}
	}
	if !aliasForm.MatchString(k.Alias) {
		return "alias", `is the beginning of a variable, such as "DATABASE" of DATABASE_URL`
	}
	for _, port := range k.Ports {
		if port < 1 || port > 65535 {
			return "ports", fmt.Sprintf("has %d, which is no port", port)
		}
	}
	for _, d := range k.Data {
		if !path.IsAbs(d.Path) {
			return "data", fmt.Sprintf("has the path %q, which is not absolute", d.Path)
		}
	}
	if len(k.Config.Files) > 0 && !path.IsAbs(k.Config.Path) {
		return "config.path", "is missing, or not absolute"
	}
	for name := range k.Config.Files {
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return "config.files", fmt.Sprintf("has %q, which is no name of a file", name)
		}
	}
	if (len(k.Dump.Command) == 0) != (len(k.Load.Command) == 0) {
		return "dump", "and load belong together"
	}
	if (len(k.Upgrade.Dump.Command) == 0) != (len(k.Upgrade.Load.Command) == 0) {
		return "upgrade.dump", "and upgrade.load belong together"
	}
	if k.Upgrade.Numbers < 0 {
		return "upgrade.numbers", "is negative"
	}
	if (len(k.Count.Command) == 0) != (k.Count.Unit == "") {
		return "count", "needs a command and a unit"
	}
	return k.checkTexts()
}

// checkTexts checks the placeholders.
func (k Kind) checkTexts() (key, why string) {
	texts := map[string][]string{"url": {k.URL}, "user": {k.User}, "command": k.Command, "env": values(k.Env), "config.files": values(k.Config.Files)}
	for name, e := range map[string]Exec{"ready": k.Ready, "init": k.Init, "dump": k.Dump, "load": k.Load.Exec, "count": k.Count.Exec, "console": k.Console,
		"upgrade.dump": k.Upgrade.Dump, "upgrade.load": k.Upgrade.Load, "upgrade.compare": k.Upgrade.Compare} {
		texts[name] = append(slices.Clone(e.Command), values(e.Env)...)
	}
	for _, key := range slices.Sorted(maps.Keys(texts)) {
		for _, text := range texts[key] {
			for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
				if !slices.Contains(placeholders, m[1]) {
					return key, fmt.Sprintf("has the placeholder %s, which is none of {%s}", m[0], strings.Join(placeholders, "}, {"))
				}
			}
		}
	}
	return "", ""
}

func values(m map[string]string) []string { return slices.Collect(maps.Values(m)) }

// Variable is the name of the kind in variables: POSTGRES of POSTGRES_DATABASE_SCHEME.
func (k Kind) Variable() string { return strings.ReplaceAll(strings.ToUpper(k.Name), "-", "_") }

// Dumps reports whether services of the kind can be exported, imported and cloned.
func (k Kind) Dumps() bool { return len(k.Dump.Command) > 0 }

// Default is the image of a new service.
func (k Kind) Default() string { return k.Image + ":" + k.Version }

// folders returns the folders that an image's services keep their data in.
func (k Kind) folders(image string) (list []string) {
	major, known := major(image)
	below := slices.ContainsFunc(k.Data, func(d Data) bool { return d.Below != 0 && known && major < d.Below })
	for _, d := range k.Data {
		if (d.Below != 0) == below && (d.Below == 0 || major < d.Below) {
			list = append(list, d.Path)
		}
	}
	return list
}

// major returns the number that the version of an image begins with.
func major(image string) (n int, ok bool) {
	_, tag := splitImage(image)
	digits := tag[:len(tag)-len(strings.TrimLeft(tag, "0123456789"))]
	n, err := strconv.Atoi(digits)
	return n, err == nil
}

// format returns the numbers of an image's version that name the format of its data; none
// are known of "latest".
func (k Kind) format(image string) (numbers []int) {
	_, tag := splitImage(image)
	for part := range strings.SplitSeq(tag, ".") {
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		n, err := strconv.Atoi(digits)
		if err != nil || len(numbers) == max(1, k.Upgrade.Numbers) {
			break
		}
		if numbers = append(numbers, n); digits != part {
			break
		}
	}
	return numbers
}

// splitImage splits the name of an image from its version. A registry may have a port.
func splitImage(image string) (name, version string) {
	at := strings.LastIndex(image, ":")
	if at < strings.LastIndex(image, "/") || at < 0 {
		return image, ""
	}
	return image[:at], image[at+1:]
}
