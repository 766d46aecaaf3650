package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"path"
)

//go:embed assets templates
var files embed.FS

// views are the parsed templates.
type views struct {
	byName map[string]*template.Template
}

// parseViews panics on a mistake in a template: it is built into the program.
func parseViews() *views {
	v := &views{byName: map[string]*template.Template{}}
	base := template.Must(template.ParseFS(files, "templates/layout.html", "templates/parts.html"))
	for _, name := range []string{"overview", "image", "error"} {
		v.byName[name] = template.Must(template.Must(base.Clone()).ParseFS(files, "templates/"+name+".html"))
	}
	return v
}

func (v *views) render(w io.Writer, name string, frame frame) error {
	if err := v.byName[name].ExecuteTemplate(w, "layout", frame); err != nil {
		return fmt.Errorf("render %s: %w", name, err)
	}
	return nil
}

// An asset is a file that the page loads. Its version is in its address, so that it may be kept for ever.
type asset struct {
	body        []byte
	contentType string
	version     string
}

func readAsset(name string) (asset, bool) {
	types := map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
	}
	body, err := files.ReadFile("assets/" + name)
	if err != nil {
		return asset{}, false
	}
	sum := sha256.Sum256(body)
	return asset{body, types[path.Ext(name)], hex.EncodeToString(sum[:6])}, true
}

// assetPath is the address of an asset.
func assetPath(name string) string {
	a, _ := readAsset(name)
	return "/assets/" + name + "?v=" + a.version
}

func (p *site) getAsset(w http.ResponseWriter, r *http.Request) {
	a, ok := readAsset(r.PathValue("name"))
	if !ok {
		p.fail(w, r, Failure{Status: http.StatusNotFound, Reason: reasonNoPath, Title: "There is nothing here", Text: "The page has no such file."})
		return
	}
	// During a deployment a page of one version may ask an instance of another: that answer is not kept.
	if r.URL.Query().Get("v") == a.version {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	p.write(w, http.StatusOK, a.contentType, a.body)
}
