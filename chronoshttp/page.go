package chronoshttp

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// The dashboard: static files, which call the API. Its pages are told apart by
// what follows # in the address, so that it works under any prefix.
//
//go:embed assets
var assetFiles embed.FS

type asset struct {
	body  []byte
	media string
	tag   string
}

var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
}

// loadAssets reads the files once. They were checked when the package was built.
func loadAssets() map[string]asset {
	out := map[string]asset{}
	err := fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		media := mediaTypes[path.Ext(name)]
		if media == "" {
			media = mime.TypeByExtension(path.Ext(name))
		}
		sum := sha256.Sum256(body)
		out["/"+name] = asset{body: body, media: media, tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		panic(err) // an embedded file can be read
	}
	out["/"] = out["/assets/index.html"]
	delete(out, "/assets/index.html")
	return out
}

// page serves a file of the dashboard, and says whether there is one.
func (h *Handler) page(w http.ResponseWriter, r *http.Request) bool {
	if h.assets == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return false
	}
	file, ok := h.assets[r.URL.Path]
	if !ok && r.URL.Path != "" {
		return false
	}
	if _, refused := h.allow(r, Access{Action: ActionRead}); refused != nil {
		h.refuse(w, r, *refused)
		return true
	}
	if r.URL.Path == "" { // StripPrefix took all of it: the page needs a slash to find its files
		at, _, _ := strings.Cut(r.RequestURI, "?")
		w.Header().Set("Location", path.Base(at)+"/")
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
	w.Header().Set("Content-Type", file.media)
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", file.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.body))
	return true
}
