package account_test

import (
	"errors"
	"testing"
	"time"

	"imageferry/internal/localcloud/account"
)

// TestRealm has two accounts in a cloud: keys are known in both, and each account decides on its own identities alone.
func TestRealm(t *testing.T) {
	t.Parallel()
	const other = "2234567890123456"
	one := account.New(id)
	two := one.Open(other)
	if again := one.Open(other); again != two || two.Open(id) != one {
		t.Error("an account was opened twice")
	}
	if _, ok := one.Account("3234567890123456"); ok {
		t.Error("an account that nobody opened")
	}
	user := two.PutUser("administrator", account.Administrator())
	one.PutUser("administrator")
	if found, err := one.Lookup(user.AccessKeyID); err != nil || found != user {
		t.Errorf("found %s (%v)", found.ARN, err)
	}
	if !one.Allowed(user, "oss:GetObject", "acs:oss:oss-cn-hangzhou:"+other+":b/k", nil) {
		t.Error("the user's own account does not decide")
	}
	if _, err := account.New(id).Lookup(user.AccessKeyID); !errors.Is(err, account.ErrNoSuchKey) {
		t.Errorf("a key is known in another cloud: %v", err)
	}
	one.PutRole("target", parse(t, statements(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::`+other+`:root"]}}`)))
	keys, err := one.AssumeByIdentity(user, "target", "s", "", time.Hour)
	if err != nil || keys.AccountID != id || !two.IssuedToken(keys.Token) || len(two.Issued()) != 3 {
		t.Errorf("assumed %s of %d keys (%v)", keys.ARN, len(two.Issued()), err)
	}
}

// TestExternalID: a condition of a trust policy holds for who brings the external id.
func TestExternalID(t *testing.T) {
	t.Parallel()
	dir := account.New(id)
	user := dir.PutUser("one")
	dir.PutRole("target", parse(t, statements(`{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"RAM":["acs:ram::`+id+`:root"]},`+
		`"Condition":{"StringEquals":{"sts:ExternalId":"right"}}}`)))
	for externalID, want := range map[string]error{"right": nil, "wrong": account.ErrNotTrusted, "": account.ErrNotTrusted} {
		if _, err := dir.AssumeByIdentity(user, "target", "s", externalID, time.Hour); !errors.Is(err, want) {
			t.Errorf("with %q: %v, want %v", externalID, err, want)
		}
	}
}
