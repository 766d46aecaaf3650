package export

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"imageferry/internal/manifest"
)

// pages lists with a filter until there is no cursor any more.
func (w *world) pages(o ListOrder) (ids []string, pages int) {
	w.Helper()
	for {
		page, err := w.ferry().List(w.Context(), o)
		if err != nil {
			w.Fatal(err)
		}
		pages++
		for _, m := range page.Exports {
			ids = append(ids, m.Image.ID)
		}
		if limit := min(max(o.Limit, 1), maxListLimit); o.Limit > 0 && len(page.Exports) > limit {
			w.Errorf("%d exports on a page of %d", len(page.Exports), limit)
		}
		if page.Cursor == "" {
			return ids, pages
		}
		if page.Cursor <= o.Cursor {
			w.Fatalf("the cursor goes from %q to %q", o.Cursor, page.Cursor)
		}
		o.Cursor = page.Cursor
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var all, skipped []string
		for i := range 23 {
			id := fmt.Sprintf("m-%02d", i)
			all = append(all, id)
			w.add(id, func(image *manifest.Image) {
				if i%5 == 4 {
					image.OSType = "windows"
					skipped = append(skipped, id)
				}
			})
			w.submit(id)
		}
		// What cannot be read, and what is somebody else's, is left out.
		w.store.Plant(string(testLayout)+"manifests/cn-hangzhou/golden-images/nightly/raw/m-03x.json", []byte("{"))
		w.store.Plant(string(testLayout)+"manifests/cn-hangzhou/golden-images/nightly/raw/README.txt", nil)
		for _, limit := range []int{0, 1, 2, 5, 22, 23, 24, 1000} {
			if ids, pages := w.pages(ListOrder{Limit: limit}); !slices.Equal(ids, all) || limit >= 24 && pages != 1 {
				t.Errorf("pages of %d list %q", limit, ids)
			}
			if ids, _ := w.pages(ListOrder{Limit: limit, State: manifest.Skipped}); !slices.Equal(ids, skipped) {
				t.Errorf("pages of %d list the skipped %q, want %q", limit, ids, skipped)
			}
		}
		if ids, _ := w.pages(ListOrder{State: manifest.Failed}); len(ids) != 0 {
			t.Errorf("failed are %q", ids)
		}
		if ids, _ := w.pages(ListOrder{Cursor: "m-20"}); strings.Join(ids, " ") != "m-21 m-22" {
			t.Errorf("after m-20 are %q", ids)
		}
	})
}

// A filtered page is bounded in cost, and goes on where it ended.
func TestListIsBounded(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const n = maxListReads + 120
		w.add("m-last")
		w.submit("m-last")
		template := string(w.store.Object("manifests/cn-hangzhou/golden-images/nightly/raw/m-last.json"))
		for i := range n {
			id := fmt.Sprintf("m-%04d", i)
			w.store.Plant(string(testLayout)+"manifests/cn-hangzhou/golden-images/nightly/raw/"+id+".json",
				[]byte(strings.ReplaceAll(strings.ReplaceAll(template, "m-last", id), `"exporting"`, `"skipped"`)))
		}
		w.store.ResetOps()
		page, err := w.ferry().List(w.Context(), ListOrder{State: manifest.Exporting, Limit: 100})
		if err != nil || len(page.Exports) != 0 || page.Cursor == "" {
			t.Errorf("page is %+v (%v)", page, err)
		}
		if ops := w.store.Ops(); ops["get"] > maxListReads {
			t.Errorf("operations are %v", ops)
		}
		if ids, pages := w.pages(ListOrder{State: manifest.Exporting, Limit: 100}); len(ids) != 1 || ids[0] != "m-last" || pages != 2 {
			t.Errorf("%d pages list %q", pages, ids)
		}
	})
}

func TestGet(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.add("m-1")
		w.submit("m-1")
		m, err := w.ferry().Get(w.Context(), "m-1")
		if err != nil || m.State != manifest.Exporting || m.Revision != 2 {
			t.Errorf("got %+v (%v)", m, err)
		}
	})
}
