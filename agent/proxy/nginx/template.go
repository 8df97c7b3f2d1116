package nginx

import (
	"bytes"
	"embed"
	"fmt"
	"sync"
	"text/template"
	"time"

	"dokku/agent/proxy"
)

//go:embed templates/*.conf
var templateFiles embed.FS

// templates are parsed when the first file is written: most commands write none.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"duration": nginxTime, "size": nginxSize, "time": propertyTime, "default": defaultOf,
	}).ParseFS(templateFiles, "templates/*.conf"))
})

// write returns a file by its template. The data come from routes that were checked and
// from Config, so no text in them means anything to nginx but what it should.
func write(name string, data any) []byte {
	w := &bytes.Buffer{}
	if err := templates().ExecuteTemplate(w, name, data); err != nil {
		panic(fmt.Sprintf("internal error: cannot write an nginx file: %v", err))
	}
	return w.Bytes()
}

// defaultOf returns the default of a property.
func defaultOf(name string) (string, error) {
	for _, p := range proxy.Properties {
		if p.Name == name {
			return p.Default, nil
		}
	}
	return "", fmt.Errorf("there is no property %q", name)
}

// propertyTime returns the value of a property that is a time in one of the forms that
// nginxTime returns.
func propertyTime(v string) (string, error) {
	d, err := proxy.ParseTime(v)
	return nginxTime(d), err
}

// nginxTime writes whole seconds as such and the rest in milliseconds.
func nginxTime(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d.Milliseconds())
}

// nginxSize writes whole kilobytes as such and the rest in bytes.
func nginxSize(n int64) string {
	if n%1024 == 0 {
		return fmt.Sprintf("%dk", n/1024)
	}
	return fmt.Sprint(n)
}
