package e2e

import (
	"testing"

	"dokku/agent/e2e/lab"
)

// TestForeignImage: a pusher names the image of another app, which has all files of that
// app, and an address where the host talks to itself.
func TestForeignImage(t *testing.T) {
	t.Parallel()
	l := lab.New(t, nil)
	shop := l.Deployed(nil)
	thief := l.Deployed(nil)
	tip := thief.Tip("main")
	image := "dokku/" + shop.Name + ":latest"
	copying := lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nCOPY --from=" + image + " /app /stolen\nCOPY . /app/\nCMD [\"/server\"]\n"}
	lab.Contains(t, thief.Rejected(copying), `Dockerfile:2: "--from=`+image+`" is an image of the app `+shop.Name+", which "+thief.Name+" may not use; to allow it, on the server: ",
		"builder:allow-from "+thief.Name+" "+shop.Name)
	lab.Contains(t, thief.Rejected(lab.Files{"Dockerfile": "FROM " + l.Tools.Base + "\nADD http://127.0.0.1:1/x /\n"}),
		`Dockerfile:2: "ADD http://127.0.0.1:1/x" has the engine ask 127.0.0.1:1, an address of this server alone; to allow it, on the server: `)
	thief.Serves(tip)

	l.Dokku("builder:allow-from", thief.Name, shop.Name)
	thief.Push(copying)
	thief.Serves(thief.Tip("main"))
	l.Dokku("builder:allow-from", thief.Name, shop.Name, "--remove")
	copying["again"] = "x"
	lab.Contains(t, thief.Rejected(copying), "is an image of the app "+shop.Name)
	// Whoever may choose an image for an app on the server may choose this one.
	lab.Contains(t, l.Dokku("git:from-image", thief.Name, image), "Application deployed")
}
