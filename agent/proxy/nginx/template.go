package nginx

import (
	"bytes"
	"embed"
	"errors"
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
	return escaped(template.Must(template.New("").Funcs(template.FuncMap{
		"duration": nginxTime, "size": nginxSize, "time": propertyTime, "default": defaultOf, "escape": escape,
	}).ParseFS(templateFiles, "templates/*.conf")))
})

// refusedFile is a file that nginx refuses: a push with it is rejected, and the file that an app has
// stays.
const refusedFile = "dokku_has_a_value_that_is_no_word_of_nginx;\n"

// write returns a file by its template. The data come from routes that were checked and
// from Config, so no text in them means anything to nginx but what it should. Where a check
// forgot one, the file is refusedFile.
func write(name string, data any) []byte {
	w := &bytes.Buffer{}
	if err := templates().ExecuteTemplate(w, name, data); errors.Is(err, errUnsound) {
		return []byte(refusedFile)
	} else if err != nil {
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
	if err != nil {
		return "", errUnsound
	}
	return nginxTime(d), nil
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
