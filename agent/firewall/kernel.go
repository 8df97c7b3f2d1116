package firewall

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// path are the folders of root's programs. Those of the caller's environment are not asked.
var path = []string{"/usr/sbin", "/sbin", "/usr/bin", "/bin"}

// patience is the longest that one program may take.
const patience = 20 * time.Second

// errNone: the host has no firewall that rules could be put into.
var errNone = errors.New("neither nft nor iptables works on this host: apt-get install nftables")

// run runs a program of the host with an input, and returns its output.
func run(ctx context.Context, input, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	file := ""
	for _, dir := range path {
		if _, err := os.Stat(filepath.Join(dir, program)); err == nil {
			file = filepath.Join(dir, program)
			break
		}
	}
	if file == "" {
		return "", fmt.Errorf("%s: %w", program, exec.ErrNotFound)
	}
	cmd := exec.CommandContext(ctx, file, args...)
	cmd.Env, cmd.Dir = []string{"PATH=" + strings.Join(path, ":"), "LC_ALL=C"}, "/"
	cmd.Stdin = strings.NewReader(input)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(said.String()), "\n")
		return "", fmt.Errorf("%s: %w: %s", program, err, first)
	}
	return out.String(), nil
}

// A kernel puts rules into the kernel, and lists them.
type kernel interface {
	// apply replaces all rules of a name.
	apply(ctx context.Context, name string, r Rules) error
	// list prints the rules of a name that are in the kernel; an error if there are none.
	list(ctx context.Context, name string) (string, error)
	// remove takes the rules of a name away, if there are any.
	remove(ctx context.Context, name string)
}

// The names of backends: that of NFT, and those of iptables' programs.
const (
	NFT            = "nft"
	Iptables       = "iptables"
	IptablesNFT    = "iptables-nft"
	IptablesLegacy = "iptables-legacy"
)

// kernelOf returns the backend of a name; "" is the first one that works here.
func kernelOf(ctx context.Context, backend string) (kernel, error) {
	switch backend {
	case NFT:
		return nft{}, nil
	case Iptables, IptablesNFT, IptablesLegacy:
		return iptables(strings.TrimPrefix(backend, "iptables")), nil
	case "":
	default:
		return nil, fmt.Errorf("there is no firewall %q", backend)
	}
	_, err := run(ctx, "", "nft", "list", "tables")
	if err == nil {
		return nft{}, nil
	}
	_, err2 := run(ctx, "", "iptables-save", "-t", "mangle")
	if err2 == nil {
		return iptables(""), nil
	}
	return nil, fmt.Errorf("%w (%w; %w)", errNone, err, err2)
}

type nft struct{}

func (nft) apply(ctx context.Context, name string, r Rules) error {
	_, err := run(ctx, nftScript(name, r), "nft", "-f", "-")
	return err
}

func (nft) list(ctx context.Context, name string) (string, error) {
	return run(ctx, "", "nft", "list", "table", "inet", nftTable(name))
}

func (nft) remove(ctx context.Context, name string) {
	run(ctx, "", "nft", "delete", "table", "inet", nftTable(name)) // it may be missing
}

// iptables is the end of the programs' names: "", "-nft" or "-legacy".
type iptables string

// program returns the name of one of iptables' programs.
func (end iptables) program(six bool, task string) string {
	if six {
		return "ip6tables" + string(end) + task
	}
	return "iptables" + string(end) + task
}

// jumps lead from the kernel's own chains to ours.
var jumps = [][2]string{{"INPUT", "IN"}, {"FORWARD", "FWD"}}

func (end iptables) apply(ctx context.Context, name string, r Rules) error {
	for _, six := range []bool{false, true} {
		_, err := run(ctx, iptablesScript(name, r, six), end.program(six, "-restore"), "--noflush", "-w", "10")
		for _, j := range jumps {
			if err == nil {
				err = end.jump(ctx, six, j[0], chain(name, j[1]))
			}
		}
		// A kernel without IPv6 has nothing to filter in it.
		if err != nil && (!six || hasIPv6()) {
			return err
		}
	}
	return nil
}

func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

func (end iptables) jump(ctx context.Context, six bool, from, to string) error {
	program := end.program(six, "")
	if _, err := run(ctx, "", program, "-w", "10", "-t", "mangle", "-C", from, "-j", to); err == nil {
		return nil
	}
	_, err := run(ctx, "", program, "-w", "10", "-t", "mangle", "-I", from, "1", "-j", to)
	return err
}

func (end iptables) list(ctx context.Context, name string) (string, error) {
	var list []string
	for _, six := range []bool{false, true} {
		out, err := run(ctx, "", end.program(six, "-save"), "-t", "mangle")
		if err != nil && (!six || hasIPv6()) {
			return "", err
		}
		for line := range strings.Lines(out) {
			ours := func(end string) bool { return slices.Contains(strings.Fields(line), chain(name, end)) }
			if strings.HasPrefix(line, "-A") && slices.ContainsFunc(chainEnds, ours) {
				list = append(list, line)
			}
		}
	}
	if len(list) == 0 {
		return "", errors.New("the rules are gone")
	}
	return strings.Join(list, ""), nil
}

func (end iptables) remove(ctx context.Context, name string) {
	for _, six := range []bool{false, true} {
		program := end.program(six, "")
		for _, j := range jumps {
			for {
				if _, err := run(ctx, "", program, "-w", "10", "-t", "mangle", "-D", j[0], "-j", chain(name, j[1])); err != nil {
					break
				}
			}
		}
		for _, verb := range []string{"-F", "-X"} {
			for _, to := range chainEnds {
				run(ctx, "", program, "-w", "10", "-t", "mangle", verb, chain(name, to)) // it may be missing
			}
		}
	}
}

// digest is the same for lists with the same words: the kernel lists the elements of a set in
// no order.
func digest(list string) string {
	words := strings.FieldsFunc(list, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == ',' })
	slices.Sort(words)
	return fmt.Sprintf("%x", sha256.Sum256([]byte(strings.Join(words, " "))))
}
