package build

import (
	"fmt"
	"slices"
)

// languages are the files in the root of a repository by which buildpacks recognize a
// language, and the language, in the order of what tells the most.
var languages = []struct{ file, language string }{
	{"package.json", "Node.js"}, {"requirements.txt", "Python"}, {"pyproject.toml", "Python"}, {"Pipfile", "Python"}, {"setup.py", "Python"},
	{"go.mod", "Go"}, {"Gemfile", "Ruby"}, {"pom.xml", "Java"}, {"build.gradle", "Java"}, {"build.gradle.kts", "Java"}, {"build.sbt", "Scala"},
	{"project.clj", "Clojure"}, {"composer.json", "PHP"}, {"index.php", "PHP"}, {"mix.exs", "Elixir"}, {"Cargo.toml", "Rust"},
}

// Language returns the file in the root of a revision by which buildpacks recognize its
// language, and the language; "" if there is none.
func Language(r Request) (file, language string, err error) {
	files, err := r.Source.Files(r.Commit.Tree, ".")
	for _, l := range languages {
		if slices.Contains(files, l.file) {
			return l.file, l.language, err
		}
	}
	return "", "", err
}

// hint says in which language a revision that no builder detects is written, and how to
// build that; "" if no file tells.
func (b Builders) hint(r Request) string {
	file, language, err := Language(r)
	if err != nil || file == "" {
		return ""
	}
	buildpacks := slices.DeleteFunc(b.names(), func(name string) bool { return name != Pack && name != Herokuish })
	if len(buildpacks) == 0 {
		return fmt.Sprintf("it has %s (%s)", file, language)
	}
	return fmt.Sprintf("it has %s (%s), which buildpacks can build: dokku builder:set %s selected %s", file, language, r.App, buildpacks[0])
}
