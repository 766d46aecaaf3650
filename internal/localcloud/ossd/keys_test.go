package ossd

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// An index behaves like a sorted map, whatever the order of its changes.
func TestIndexAgainstMap(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	var x index
	model := map[string]*object{}
	for step := range 20_000 {
		key := fmt.Sprint(random.IntN(4_000))
		if step > 15_000 || random.IntN(4) == 0 {
			_, want := model[key]
			if got := x.remove(key); got != want {
				t.Fatalf("remove(%s) = %t, want %t", key, got, want)
			}
			delete(model, key)
			continue
		}
		o := &object{key: key}
		x.put(o)
		model[key] = o
	}
	var want []string
	for key, o := range model {
		want = append(want, key)
		if x.get(key) != o {
			t.Fatalf("get(%s) is not the newest object", key)
		}
	}
	slices.Sort(want)
	if got := keysFrom(&x, ""); !slices.Equal(got, want) {
		t.Fatalf("%d keys in order, want %d", len(got), len(want))
	}
	for range 200 {
		from := fmt.Sprint(random.IntN(5_000))
		at, _ := slices.BinarySearch(want, from)
		if got := keysFrom(&x, from); !slices.Equal(got, want[at:]) {
			t.Fatalf("from(%s) begins wrongly", from)
		}
	}
	for _, key := range want {
		x.remove(key)
	}
	if len(x.blocks) != 0 || x.get("1") != nil {
		t.Errorf("the emptied index has %d blocks", len(x.blocks))
	}
}

func keysFrom(x *index, from string) []string {
	var keys []string
	for o := range x.from(from) {
		keys = append(keys, o.key)
	}
	return keys
}

func TestPrefixEnd(t *testing.T) {
	t.Parallel()
	for prefix, want := range map[string]string{"a/": "a0", "a\xff": "b", "a\ufffd": "a\xef\xbf\xbe", "": "", "\xff\xff": ""} {
		if got, ok := prefixEnd(prefix); got != want || ok != (want != "") {
			t.Errorf("prefixEnd(%q) = %q, %t", prefix, got, ok)
		}
	}
}

// BenchmarkListPage lists one page of 1,000 keys out of 100,000, from the middle, flat and grouped.
func BenchmarkListPage(b *testing.B) {
	var x index
	for i := range 100_000 {
		x.put(&object{key: fmt.Sprintf("imageferry/journal/%05d/%08d.json", i/10, i%10)})
	}
	for name, q := range map[string]listQuery{
		"flat":    {prefix: "imageferry/journal/", from: "imageferry/journal/05000", limit: 1000},
		"grouped": {prefix: "imageferry/journal/", from: "imageferry/journal/05000", delimiter: "/", limit: 1000},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if page := q.run(&x); len(page.objects)+len(page.prefixes) != 1000 {
					b.Fatal("short page")
				}
			}
		})
	}
}
