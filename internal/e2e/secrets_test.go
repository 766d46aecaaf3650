package e2e

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
	"imageferry/internal/localcloud/ecsd"
	"imageferry/internal/localcloud/trace"
)

// signed is what signatures and the parameters of signed requests look like.
var signed = regexp.MustCompile(`(?i)signature(?:=|%(?:25)*3d)[^*&\s"]|security-?token(?:=|%(?:25)*3d)[^*&\s"]|OSS4-HMAC-SHA|ACS3-HMAC-SHA256 Credential`)

// leaks names the secrets, tokens and signatures that a text holds, in any form in which they travel.
func (d *deployment) leaks(text string) []string {
	var found []string
	for _, identity := range d.Directory.Issued() {
		for what, secret := range map[string]string{"the secret": identity.Secret, "the token": identity.Token} {
			if secret != "" && holds(text, secret) {
				found = append(found, what+" of "+identity.ARN)
			}
		}
	}
	if match := signed.FindString(text); match != "" {
		found = append(found, "a signature: "+match)
	}
	return found
}

func holds(text, secret string) bool {
	for _, form := range []string{secret, url.QueryEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

// A mishap is what goes wrong with every other one of the function's first calls.
type mishap func(d *deployment, c trace.Call) trace.Fault

// mishaps make services and connections fail in ways that repeat what the request held, or tempt a client to.
func mishaps() map[string]mishap {
	answered := func(status int, body func(account.Identity) string) mishap {
		return func(d *deployment, c trace.Call) trace.Fault {
			text := body(d.caller(c))
			return trace.Fault{Mangle: func(int, []byte) (int, []byte) { return status, []byte(text) }}
		}
	}
	always := func(f trace.Fault) mishap { return func(*deployment, trace.Call) trace.Fault { return f } }
	return map[string]mishap{
		"nothing":            always(trace.Fault{}),
		"refused connection": always(trace.Fault{Cut: trace.CutBefore}),
		"lost answer":        always(trace.Fault{Cut: trace.CutAfter}),
		"half an answer":     always(trace.Fault{Cut: trace.CutBody}),
		"no answer in time": func(_ *deployment, c trace.Call) trace.Fault {
			if c.Seq%10 > 1 {
				return trace.Fault{} // an invocation waits for each of these until it is killed
			}
			return trace.Fault{Delay: 2 * stageTimeout}
		},
		"expired token": func(d *deployment, c trace.Call) trace.Fault {
			d.Directory.ExpireSession(c.Principal)
			return trace.Fault{}
		},
		"signature refused": func(d *deployment, c trace.Call) trace.Fault {
			return trace.Fault{Refuse: &trace.Refusal{Status: http.StatusForbidden, Code: "SignatureDoesNotMatch", Message: echo(d.caller(c))}}
		},
		"signature refused at length": answered(http.StatusForbidden, func(i account.Identity) string {
			return "<Error><Code>SignatureDoesNotMatch</Code><Message>The request signature we calculated does not match the signature you provided." +
				"</Message><RequestId>5FC3</RequestId><OSSAccessKeyId>" + i.AccessKeyID + "</OSSAccessKeyId><SignatureProvided>" + i.Secret +
				"</SignatureProvided><StringToSign>GET\n\nx-oss-security-token:" + i.Token + "</StringToSign></Error>"
		}),
		"code is a number": answered(http.StatusBadRequest, func(i account.Identity) string {
			return fmt.Sprintf(`{"Code":400,"Message":%q,"RequestId":%q}`, echo(i), i.Token)
		}),
		"code is a token": answered(http.StatusInternalServerError, func(i account.Identity) string {
			return fmt.Sprintf(`{"Code":%q,"Message":%q,"RequestId":%q}`, i.Token, i.Secret, i.Secret)
		}),
		"gateway's page": answered(http.StatusBadGateway, func(i account.Identity) string {
			return "<html><body><h1>502 Bad Gateway</h1>" + echo(i) + "</body></html>"
		}),
		"not the answer": answered(http.StatusOK, func(i account.Identity) string { return echo(i) }),
	}
}

// echo repeats a request as ECS does when it has calculated another signature.
func echo(i account.Identity) string {
	query := "AccessKeyId=" + i.AccessKeyID + "&SecurityToken=" + url.QueryEscape(i.Token) + "&Signature=" + url.QueryEscape(i.Secret+"+/=")
	return "Specified signature is not matched with our calculation. server string to sign is:POST&%2F&" + url.QueryEscape(query) +
		" or http://127.0.0.1/?" + query + " with Authorization: OSS " + i.AccessKeyID + ":" + i.Secret + " and " + i.Token
}

// caller is who makes a call, with the newest keys.
func (d *deployment) caller(c trace.Call) account.Identity {
	var newest account.Identity
	for _, i := range d.Directory.Issued() {
		if i.ARN == c.Principal && i.Expires.After(newest.Expires) {
			newest = i
		}
	}
	return newest
}

// mishapCalls is how many of the function's calls are in danger.
const mishapCalls = 60

// TestSecrets lets everything go wrong with imageferry's calls, and finds no secret, token or signature in anything that it
// prints, writes, returns or answers. In the end all is as it should be.
func TestSecrets(t *testing.T) {
	t.Parallel()
	for name, m := range mishaps() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newStage(t, scenario{env: map[string]string{"FERRY_LOG_LEVEL": "debug"}}, nil)
			calls := 0
			p.fault = func(c trace.Call) sabotage {
				if calls++; calls > mishapCalls || calls%2 == 0 {
					return sabotage{}
				}
				return sabotage{Fault: m(p.deployment, c)}
			}
			p.start()
			told := p.everything(t)
			p.settle(t)
			told = append(told, p.everything(t)...)
			p.settle(t)
			for _, failure := range p.FC.Failures() {
				told = append(told, string(failure.Message))
			}
			for _, text := range told {
				for _, leak := range p.leaks(text) {
					t.Errorf("%s is in %.2000s", leak, text)
				}
			}
			p.audit(t, p.wanted, p.output.String())
			if t.Failed() {
				p.tell(t)
			}
		})
	}
}

// everything uses all of imageferry's faces, and returns what they told.
func (p *stage) everything(t *testing.T) []string {
	t.Helper()
	var told []string
	id := p.image(exported, ecsd.Image{})
	p.announce(id, ecsd.StatusAvailable)
	idle(t, p.deployment)
	p.FC.InvokeAsync([]byte(`{"imageId":7}`), "test")
	for _, action := range []string{"follow", "sweep"} {
		p.timer(t, action)
		r, err := p.FC.Invoke(t.Context(), []byte(`{"action":"`+action+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, string(r.Payload))
	}
	for _, request := range []struct{ method, path, body string }{
		{http.MethodGet, "/", ""},
		{http.MethodGet, "/healthz", ""},
		{http.MethodGet, "/exports", ""},
		{http.MethodGet, "/exports/" + id, ""},
		{http.MethodPost, "/exports", `{"imageId":"` + id + `"}`},
		{http.MethodPost, "/exports", `{"image":"` + id + `"}`},
		{http.MethodPost, "/exports/m-none/cancel", ""},
		{http.MethodPost, "/sweep", "{}"},
		{http.MethodPost, "/follow", ""},
	} {
		r := p.call(t, request.method, request.path, request.body)
		told = append(told, fmt.Sprint(r.header, string(r.body)))
	}
	return told
}

// TestLeaksAreFound makes sure that leaks finds what it looks for.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	d := deploy(t, setup{noTimers: true})
	keys, err := d.Directory.AssumeByService("fc.aliyuncs.com", d.spec.Role, "leak", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		"secret " + d.Administrator.Secret, "token " + keys.Token, url.QueryEscape("a=" + keys.Secret),
		base64.StdEncoding.EncodeToString([]byte(keys.Token)), "https://x/?Signature=abc", "a%26SecurityToken%253Dabc",
		"x-oss-signature=00ff", `Authorization: OSS4-HMAC-SHA256 Credential=`,
	} {
		if len(d.leaks(text)) == 0 {
			t.Errorf("%q is not found", text)
		}
	}
	if found := d.leaks("SecurityToken=***&Signature=*** of " + keys.AccessKeyID); len(found) > 0 {
		t.Errorf("found %q", found)
	}
}
