package account_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
)

const id = "1234567890123456"

func parse(t *testing.T, document string) account.Policy {
	t.Helper()
	p, err := account.ParsePolicy([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// statements is a policy of these statements.
func statements(list ...string) string {
	return `{"Version":"1","Statement":[` + strings.Join(list, ",") + `]}`
}

func TestAllowed(t *testing.T) {
	t.Parallel()
	const (
		read  = `{"Effect":"Allow","Action":["oss:GetObject","oss:ListObjects"],"Resource":"acs:oss:*:*:b/*"}`
		all   = `{"Effect":"Allow","Action":"*","Resource":"*"}`
		keep  = `{"Effect":"Deny","Action":"oss:Delete*","Resource":"acs:oss:*:*:b/journal/*"}`
		below = `{"Effect":"Allow","Action":"oss:ListObjects","Resource":"acs:oss:*:*:b","Condition":{"StringLike":{"oss:Prefix":["p/*","q"]}}}`
		tls   = `{"Effect":"Allow","Action":"oss:*","Resource":"*","Condition":{"Bool":{"acs:SecureTransport":"true"},"StringEquals":{"k":"v"}}}`
		odd   = `{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"IpAddress":{"acs:SourceIp":"10.0.0.0/8"}}}`
		away  = `{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"NotIpAddress":{"acs:SourceIp":"10.0.0.0/8"}}}`
	)
	type context = map[string]string
	const object = "acs:oss:oss-cn-hangzhou:" + id + ":b/journal/1"
	const bucket = "acs:oss:oss-cn-hangzhou:" + id + ":b"
	for _, c := range []struct {
		name             string
		policies         []string
		action, resource string
		context          context
		want             bool
	}{
		{"nothing is allowed by itself", nil, "oss:GetObject", object, nil, false},
		{"a listed action", []string{statements(read)}, "oss:GetObject", object, nil, true},
		{"an action in other letters", []string{statements(read)}, "OSS:getobject", object, nil, true},
		{"another action", []string{statements(read)}, "oss:PutObject", object, nil, false},
		{"an action that begins alike", []string{statements(read)}, "oss:GetObjectAcl", object, nil, false},
		{"another resource", []string{statements(read)}, "oss:GetObject", "acs:oss:oss-cn-hangzhou:" + id + ":c/1", nil, false},
		{"the bucket is not its objects", []string{statements(read)}, "oss:ListObjects", bucket, nil, false},
		{"a resource in other letters", []string{statements(read)}, "oss:GetObject", strings.ToUpper(object), nil, false},
		{"everything", []string{statements(all)}, "ram:CreateUser", "*", nil, true},
		{"deny wins in one policy", []string{statements(all, keep)}, "oss:DeleteObject", object, nil, false},
		{"deny wins first", []string{statements(keep, all)}, "oss:DeleteObject", object, nil, false},
		{"deny wins over another policy", []string{statements(all), statements(keep)}, "oss:DeleteObject", object, nil, false},
		{"deny is for what it names", []string{statements(all, keep)}, "oss:PutObject", object, nil, true},
		{"a condition met", []string{statements(below)}, "oss:ListObjects", bucket, context{"oss:Prefix": "p/1"}, true},
		{"by its other value", []string{statements(below)}, "oss:ListObjects", bucket, context{"oss:Prefix": "q"}, true},
		{"a condition not met", []string{statements(below)}, "oss:ListObjects", bucket, context{"oss:Prefix": "q/"}, false},
		{"a condition on nothing", []string{statements(below)}, "oss:ListObjects", bucket, nil, false},
		{"both conditions met", []string{statements(tls)}, "oss:GetObject", object, context{"acs:SecureTransport": "true", "k": "v"}, true},
		{"one of two conditions met", []string{statements(tls)}, "oss:GetObject", object, context{"acs:SecureTransport": "true", "k": "w"}, false},
		{"an unknown operator allows nothing", []string{statements(odd)}, "oss:GetObject", object, context{"acs:SourceIp": "10.0.0.1"}, false},
		{"an unknown operator denies", []string{statements(all, away)}, "oss:GetObject", object, context{"acs:SourceIp": "10.0.0.1"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := account.New(id)
			var permissions []account.Policy
			for _, p := range c.policies {
				permissions = append(permissions, parse(t, p))
			}
			user := dir.PutUser("user", permissions...)
			dir.PutRole("Role", trust(), permissions...)
			role, err := dir.AssumeByService("fc.aliyuncs.com", "role", "s", time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			for _, identity := range []account.Identity{user, role} {
				if got := dir.Allowed(identity, c.action, c.resource, c.context); got != c.want {
					t.Errorf("%s: allowed %t, want %t", identity.ARN, got, c.want)
				}
			}
		})
	}
}

// trust lets Function Compute, and user one of this account, assume a role.
func trust() account.Policy {
	return account.Policy{Version: "1", Statement: []account.Statement{{
		Effect: "Allow", Action: account.Strings{"sts:AssumeRole"},
		Principal: &account.Principal{Service: account.Strings{"fc.aliyuncs.com"}, RAM: account.Strings{"acs:ram::" + id + ":user/one"}},
	}}}
}

func TestWildcards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, resource string
		want              bool
	}{
		{"*", "", true},
		{"a", "a", true},
		{"a", "b", false},
		{"a", "aa", false},
		{"aa", "a", false},
		{"a*", "a", true},
		{"a*c", "abbc", true},
		{"a*c", "abcb", false},
		{"a*b*c", "aXbXbc", true},
		{"*b", "abab", true},
		{"**", "x", true},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{"a?", "a", false},
		{"acs:oss:*:*:b/p/*", "acs:oss:oss-cn-hangzhou:1:b/p/x/y", true}, // a star passes colons and slashes
		{"acs:oss:*:*:b/p/*", "acs:oss:oss-cn-hangzhou:1:b/px", false},
		{"[a]", "a", false},
	} {
		dir := account.New(id)
		user := dir.PutUser("user", account.Policy{Version: "1", Statement: []account.Statement{{
			Effect: "Allow", Action: account.Strings{"*"}, Resource: account.Strings{c.pattern},
		}}})
		if got := dir.Allowed(user, "a:B", c.resource, nil); got != c.want {
			t.Errorf("%q matches %q: %t, want %t", c.pattern, c.resource, got, c.want)
		}
	}
}

func TestAssume(t *testing.T) {
	t.Parallel()
	dir := account.New(id)
	dir.PutRole("trusting", trust(), account.Administrator())
	dir.PutRole("closed", account.Policy{}, account.Administrator())
	denying := trust()
	denying.Statement[0].Effect = "Deny"
	dir.PutRole("denying", denying)
	one, two := dir.PutUser("one"), dir.PutUser("two")
	for name, c := range map[string]struct {
		assume func() (account.Identity, error)
		want   error
	}{
		"a trusted service": {func() (account.Identity, error) {
			return dir.AssumeByService("fc.aliyuncs.com", "Trusting", "s", time.Hour)
		}, nil},
		"another service": {func() (account.Identity, error) {
			return dir.AssumeByService("ecs.aliyuncs.com", "trusting", "s", time.Hour)
		}, account.ErrNotTrusted},
		"a role that trusts nobody": {func() (account.Identity, error) {
			return dir.AssumeByService("fc.aliyuncs.com", "closed", "s", time.Hour)
		}, account.ErrNotTrusted},
		"a trust that denies": {func() (account.Identity, error) {
			return dir.AssumeByService("fc.aliyuncs.com", "denying", "s", time.Hour)
		}, account.ErrNotTrusted},
		"no role": {func() (account.Identity, error) {
			return dir.AssumeByService("fc.aliyuncs.com", "absent", "s", time.Hour)
		}, account.ErrNoSuchRole},
		"a trusted user": {func() (account.Identity, error) {
			return dir.AssumeByIdentity(one, "trusting", "s", "", time.Hour)
		}, nil},
		"another user": {func() (account.Identity, error) {
			return dir.AssumeByIdentity(two, "trusting", "s", "", time.Hour)
		}, account.ErrNotTrusted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			identity, err := c.assume()
			if !errors.Is(err, c.want) {
				t.Fatalf("got %v, want %v", err, c.want)
			}
			if err != nil {
				return
			}
			if identity.ARN != "acs:ram::"+id+":assumed-role/trusting/s" || identity.RoleName != "trusting" || identity.Token == "" ||
				time.Until(identity.Expires) < 59*time.Minute || !dir.Allowed(identity, "x:Y", "z", nil) {
				t.Errorf("identity %+v", identity)
			}
			if found, err := dir.Lookup(identity.AccessKeyID); err != nil || found != identity {
				t.Errorf("found %+v: %v", found, err)
			}
		})
	}
}

// TestChanges: what was issued follows its role, and ends when it is made to.
func TestChanges(t *testing.T) {
	t.Parallel()
	dir := account.New(id)
	dir.PutRole("role", trust(), account.Administrator())
	issue := func(session string) account.Identity {
		identity, err := dir.AssumeByService("fc.aliyuncs.com", "role", session, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		return identity
	}
	expired := func(identity account.Identity) bool {
		found, err := dir.Lookup(identity.AccessKeyID)
		if err != nil {
			t.Fatal(err)
		}
		return !time.Now().Before(found.Expires)
	}
	a, b, c := issue("a"), issue("b"), issue("b")
	dir.Expire(a.AccessKeyID)
	if !expired(a) || expired(b) {
		t.Error("Expire ended the wrong keys")
	}
	dir.ExpireSession(b.ARN)
	if !expired(b) || !expired(c) {
		t.Error("ExpireSession did not end both keys of the session")
	}
	user := dir.PutUser("user")
	dir.Expire(user.AccessKeyID)
	dir.ExpireSession(user.ARN)
	if found, err := dir.Lookup(user.AccessKeyID); err != nil || !found.Expires.IsZero() {
		t.Errorf("a user's keys expire: %v %v", found.Expires, err)
	}
	if !dir.IssuedToken(a.Token) || dir.IssuedToken("made-up") || dir.IssuedToken("") {
		t.Error("IssuedToken tells the wrong tokens")
	}
	dir.PutRole("role", trust())
	if dir.Allowed(a, "x:Y", "z", nil) {
		t.Error("issued keys keep the permissions that their role had")
	}
	dir.PutRole("role", trust(), account.Administrator())
	dir.DeleteRole("Role")
	if dir.Allowed(a, "x:Y", "z", nil) {
		t.Error("issued keys outlive their role")
	}
	if _, err := dir.Lookup("LTAI-unknown"); !errors.Is(err, account.ErrNoSuchKey) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestParsePolicyRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ document, want string }{
		"no JSON":             {"{", "decode policy"},
		"another version":     {`{"Version":"2","Statement":[]}`, "version"},
		"no statement":        {statements(), "no statement"},
		"another effect":      {statements(`{"Effect":"allow","Action":"*"}`), "effect"},
		"no action":           {statements(`{"Effect":"Allow","Resource":"*"}`), "no action"},
		"an unknown key":      {statements(`{"Effect":"Allow","Action":"*","NotAction":"*"}`), "NotAction"},
		"an action of digits": {statements(`{"Effect":"Allow","Action":7}`), "neither a string"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := account.ParsePolicy([]byte(c.document)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want an error about %q", err, c.want)
			}
		})
	}
}

func FuzzParsePolicy(f *testing.F) {
	f.Add([]byte(statements(`{"Effect":"Allow","Action":["a:B"],"Resource":"*","Condition":{"Bool":{"k":["true"]}}}`)))
	f.Add([]byte(statements(`{"Effect":"Deny","Action":"*","Principal":{"Service":["x"]}}`)))
	f.Fuzz(func(t *testing.T, document []byte) {
		p, err := account.ParsePolicy(document)
		if err != nil {
			return
		}
		dir := account.New(id)
		none, closed := dir.PutUser("none"), dir.PutUser("closed", p, account.Policy{Version: "1", Statement: []account.Statement{{
			Effect: "Deny", Action: account.Strings{"*"}, Resource: account.Strings{"*"},
		}}})
		if dir.Allowed(none, "a:B", "r", nil) || dir.Allowed(closed, "a:B", "r", nil) {
			t.Errorf("%s allows what is denied", document)
		}
	})
}
