package deploy

import (
	"fmt"

	"dokku/agent/app"
	"dokku/agent/repo"
)

// Pushed returns the revision that the deploy branch has, "" while none was
// pushed, and the branch if it is yet to be adopted.
func Pushed(a app.View) (adopt, revision string, err error) {
	if b := a.DeployBranch(); b != "" {
		revision, err = repo.Ref(a.Dir, Heads+b)
		return "", revision, err
	}
	for _, b := range []string{"main", "master"} {
		if revision, err = repo.Ref(a.Dir, Heads+b); err != nil || revision != "" {
			return b, revision, err
		}
	}
	return "", "", nil
}

// Undeployed returns the revision that was pushed while deploys were skipped; ""
// when what was pushed is deployed.
func Undeployed(a app.View) (string, error) {
	_, revision, err := Pushed(a)
	if err != nil {
		return "", fmt.Errorf("cannot tell what was pushed to %s: %w", a.Name, err)
	}
	if a.Current != nil && a.Current.Revision == revision || a.State.Staged != nil {
		return "", nil
	}
	return revision, nil
}
