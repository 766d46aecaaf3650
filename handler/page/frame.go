package page

import (
	"net/http"
	"net/url"

	"imageferry/internal/manifest"
	"imageferry/internal/words"
)

// A frame is what every view stands in.
type frame struct {
	Title      string
	Where      []string // the destination
	Style      string
	Script     string
	Icon       string
	JSON       string // this view as JSON
	Refresh    int64  // in milliseconds; 0 is never
	Now        when
	Clock      string
	Version    string
	AllowsMore bool // there are forms
	View       any
}

func (p *site) frame(r *http.Request, title string, view any) frame {
	now := p.opts.Now()
	f := frame{
		Title: title, Where: p.where(), Style: assetPath("page.css"), Script: assetPath("page.js"),
		Icon: assetPath("icon.svg"), Now: p.when(now), Clock: now.UTC().Format("15:04:05"), Version: say(p.opts.Version),
		AllowsMore: p.opts.AllowActions, View: view,
	}
	if _, isError := view.(Failure); !isError {
		f.JSON = address(r.URL.Path, withParam(r.URL.Query(), "format", "json"))
		f.Refresh = max(p.opts.Refresh.Milliseconds(), 0)
	}
	return f
}

// where is the destination for people: region, address, format. A failure does not name it.
func (p *site) where() []string {
	if p.source == nil {
		return nil
	}
	d := p.source.Destination()
	target := "oss://" + d.Bucket + "/"
	if d.Prefix != "" {
		target += d.Prefix + "_…"
	}
	return []string{say(d.Region), say(target), say(d.Format)}
}

// address is a path of ours with a query.
func address(path string, query url.Values) string {
	u := url.URL{Path: path, RawQuery: query.Encode()}
	return u.String()
}

// withParam is a copy of a query with one parameter set, or removed when the value is empty.
func withParam(query url.Values, name, value string) url.Values {
	q := url.Values{}
	for key, values := range query {
		if key != name && key != "did" && len(values) > 0 && values[0] != "" {
			q.Set(key, values[0])
		}
	}
	if value != "" {
		q.Set(name, value)
	}
	return q
}

func imagePath(imageID string) string { return "/images/" + url.PathEscape(imageID) }

// RestoreCommand names the whole destination, so that it works wherever it is pasted. The flags come after it.
func RestoreCommand(m *manifest.Manifest, flags ...string) string {
	d := m.Destination
	command := "imageferry restore " + words.Shell(m.Image.ID) + " --region " + words.Shell(d.Region) + " --bucket " + words.Shell(d.Bucket)
	if d.Prefix != "" {
		command += " --prefix " + words.Shell(d.Prefix)
	}
	command += " --format " + words.Shell(d.Format)
	for _, flag := range flags {
		command += " " + words.Shell(flag)
	}
	return command
}
