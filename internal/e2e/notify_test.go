package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"imageferry/internal/localcloud/ecsd"
)

// TestNotices: whoever is named in the configuration is told of each end once, signed, by the next tick. (Two ticks at the same time
// may both tell it, with the same id.)
func TestNotices(t *testing.T) {
	t.Parallel()
	key := []byte("a plainly fake key of the tests!")
	var mu sync.Mutex
	told := map[string]int{} // by type and image
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(r.Header.Get("webhook-id") + "." + r.Header.Get("webhook-timestamp") + "." + string(body)))
		if got, want := r.Header.Get("webhook-signature"), "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)); got != want {
			t.Errorf("the signature is %q, want %q", got, want)
		}
		var notice struct {
			Type string
			Data struct{ ImageID, Reason, Remedy, Manifest string }
		}
		if err := json.Unmarshal(body, &notice); err != nil || notice.Data.Manifest == "" {
			t.Errorf("the notice is %s (%v)", body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		told[strings.TrimSpace(notice.Type+" "+notice.Data.ImageID+" "+notice.Data.Reason)]++
		w.WriteHeader(http.StatusNoContent)
	}))
	t.Cleanup(receiver.Close)
	var output lockedBuffer
	d := deploy(t, setup{output: &output, noTimers: true, env: map[string]string{
		"FERRY_NOTIFY_URL":    receiver.URL + "/hook?token=in-the-address",
		"FERRY_NOTIFY_FORMAT": "json",
		"FERRY_NOTIFY_SECRET": "whsec_" + base64.StdEncoding.EncodeToString(key),
		"FERRY_NOTIFY_ON":     "exported,skipped,failed",
	}})
	good := d.createImage(t)
	windows := d.ECS.AddImage(ecsd.Image{Name: "win", OSType: "windows"})
	d.Bus.ImageStateChanged(windows, ecsd.StatusAvailable)
	want := []string{"imageferry.export.exported " + good, "imageferry.export.skipped " + windows + " image-windows"}
	poll(t, "both ends are told", func() bool {
		d.handle(t, tickEvent)
		mu.Lock()
		defer mu.Unlock()
		return told[want[0]] > 0 && told[want[1]] > 0
	})
	poll(t, "the outbox is empty", func() bool {
		d.handle(t, tickEvent)
		keys, _, err := d.store.List(t.Context(), d.PolicyVars(d.spec).ManifestPrefix+"active/notices/", "", 1)
		return err == nil && len(keys) == 0
	})
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || told[want[0]] != 1 || told[want[1]] != 1 {
		t.Errorf("told is %v", told)
	}
	for _, secret := range []string{"in-the-address", base64.StdEncoding.EncodeToString(key)} {
		if strings.Contains(output.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
}
