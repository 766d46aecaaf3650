// Package account is the embedded cloud's RAM and the state behind its STS: one account's users, roles and policies, its
// access keys and the temporary credentials of its roles. It decides every authorization in the cloud.
package account

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// An Identity is who signs a request.
type Identity struct {
	// ARN is acs:ram::<account>:user/<name> or acs:ram::<account>:assumed-role/<role>/<session>.
	ARN string
	// AccountID owns the identity.
	AccountID string
	// RoleName is the assumed role, empty for a user.
	RoleName string
	// AccessKeyID, Secret and Token are the keys that it signs with; Token is empty for a user.
	AccessKeyID, Secret, Token string
	// Expires is when temporary keys end; zero for a user's keys.
	Expires time.Time
}

// Errors of a Directory, to be told apart with errors.Is.
var (
	// ErrNoSuchKey: no identity has the access key.
	ErrNoSuchKey = errors.New("no such access key")
	// ErrNoSuchRole: the role does not exist.
	ErrNoSuchRole = errors.New("no such role")
	// ErrNotTrusted: the role's trust policy does not name the caller.
	ErrNotTrusted = errors.New("the role does not trust the caller")
)

// A Directory is one account of a cloud. Its methods are safe for concurrent use.
type Directory struct {
	id    string
	realm *realm

	mu    sync.RWMutex
	users map[string][]Policy
	roles map[string]role
	keys  map[string]Identity
}

type role struct {
	trust       Policy
	permissions []Policy
}

// New returns an account without users and roles, in a cloud of its own. The id has 16 digits.
func New(id string) *Directory {
	d := empty(id, &realm{accounts: map[string]*Directory{}})
	d.realm.accounts[id] = d
	return d
}

func empty(id string, in *realm) *Directory {
	return &Directory{id: id, realm: in, users: map[string][]Policy{}, roles: map[string]role{}, keys: map[string]Identity{}}
}

// ID is the account's id.
func (d *Directory) ID() string { return d.id }

// PutUser creates or replaces a RAM user and returns new long-term keys of it. The user's earlier keys stay valid.
func (d *Directory) PutUser(name string, permissions ...Policy) Identity {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.users[name] = permissions
	identity := Identity{
		ARN:         fmt.Sprintf("acs:ram::%s:user/%s", d.id, name),
		AccountID:   d.id,
		AccessKeyID: "LTAI-LOCAL-" + random(12),
		Secret:      random(30),
	}
	d.keys[identity.AccessKeyID] = identity
	return identity
}

// PutRole creates or replaces a role with its trust policy and its permissions. Credentials that were issued for the
// role follow its new permissions.
func (d *Directory) PutRole(name string, trust Policy, permissions ...Policy) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.roles[strings.ToLower(name)] = role{trust: trust, permissions: permissions}
}

// DeleteRole removes a role; credentials that were issued for it are no longer allowed anything.
func (d *Directory) DeleteRole(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.roles, strings.ToLower(name))
}

// RoleARN is the ARN of a role of this account, whether or not it exists.
func (d *Directory) RoleARN(name string) string {
	return fmt.Sprintf("acs:ram::%s:role/%s", d.id, strings.ToLower(name))
}

// AssumeByService issues temporary credentials of a role to an Alibaba Cloud service such as "fc.aliyuncs.com", if the
// role's trust policy names it. Errors: ErrNoSuchRole, ErrNotTrusted.
func (d *Directory) AssumeByService(service, roleName, session string, duration time.Duration) (Identity, error) {
	return d.assume(roleName, session, duration, nil, func(p Principal) bool { return contains(p.Service, service) })
}

// AssumeByIdentity issues temporary credentials of a role to a user or role of any account of the cloud, if the trust policy
// names the caller's account's root or the caller itself, under conditions that the external id meets; an empty one is none.
// That the caller may call sts:AssumeRole is the caller's to check. Errors: ErrNoSuchRole, ErrNotTrusted.
func (d *Directory) AssumeByIdentity(caller Identity, roleName, session, externalID string, duration time.Duration) (Identity, error) {
	var context map[string]string
	if externalID != "" {
		context = map[string]string{"sts:ExternalId": externalID}
	}
	names := []string{fmt.Sprintf("acs:ram::%s:root", caller.AccountID), caller.ARN}
	if caller.RoleName != "" {
		names = append(names, fmt.Sprintf("acs:ram::%s:role/%s", caller.AccountID, caller.RoleName))
	}
	return d.assume(roleName, session, duration, context, func(p Principal) bool {
		return slices.ContainsFunc(names, func(name string) bool { return contains(p.RAM, name) })
	})
}

func (d *Directory) assume(roleName, session string, duration time.Duration, context map[string]string, trusted func(Principal) bool) (Identity, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r, ok := d.roles[strings.ToLower(roleName)]
	if !ok {
		return Identity{}, fmt.Errorf("assume role %s: %w", roleName, ErrNoSuchRole)
	}
	for _, s := range r.trust.Statement {
		if s.Effect != "Allow" || s.Principal == nil || !anyMatch(s.Action, "sts:AssumeRole", true) || !trusted(*s.Principal) || !s.holds(context) {
			continue
		}
		identity := Identity{
			ARN:         fmt.Sprintf("acs:ram::%s:assumed-role/%s/%s", d.id, strings.ToLower(roleName), session),
			AccountID:   d.id,
			RoleName:    strings.ToLower(roleName),
			AccessKeyID: "STS.LOCAL" + random(16),
			Secret:      random(30),
			Token:       "LOCALTOKEN" + random(80),
			Expires:     time.Now().Add(duration),
		}
		d.keys[identity.AccessKeyID] = identity
		return identity, nil
	}
	return Identity{}, fmt.Errorf("assume role %s: %w", roleName, ErrNotTrusted)
}

// Lookup finds the identity of an access key of any account of the cloud, expired or not: the service checks the token and
// its expiry, because each reports them in its own words. Error: ErrNoSuchKey.
func (d *Directory) Lookup(accessKeyID string) (Identity, error) {
	for _, account := range d.all() {
		if identity, ok := account.key(accessKeyID); ok {
			return identity, nil
		}
	}
	return Identity{}, fmt.Errorf("look up access key: %w", ErrNoSuchKey)
}

func (d *Directory) key(accessKeyID string) (Identity, bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	identity, ok := d.keys[accessKeyID]
	return identity, ok
}

// Expire makes the temporary keys of an identity expire now.
func (d *Directory) Expire(accessKeyID string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if identity, ok := d.keys[accessKeyID]; ok && identity.Token != "" {
		identity.Expires = time.Now()
		d.keys[accessKeyID] = identity
	}
}

// ExpireSession makes all temporary keys of an assumed role's session, named by its ARN, expire now.
func (d *Directory) ExpireSession(arn string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id, identity := range d.keys {
		if identity.ARN == arn && identity.Token != "" {
			identity.Expires = time.Now()
			d.keys[id] = identity
		}
	}
}

// Allowed decides whether the identity's own account lets it do the action on the resource, given the request's condition
// keys: a Deny wins, and what no statement allows is denied. Whether another account lets it in is that one's to say.
func (d *Directory) Allowed(identity Identity, action, resource string, context map[string]string) bool {
	if own, ok := d.Account(identity.AccountID); ok {
		d = own
	}
	d.mu.RLock()
	defer d.mu.RUnlock()
	permissions := d.permissions(identity)
	allowed := false
	for _, p := range permissions {
		for _, s := range p.Statement {
			if !s.matches(action, resource, context) {
				continue
			}
			if s.Effect == "Deny" {
				return false
			}
			allowed = true
		}
	}
	return allowed
}

func (d *Directory) permissions(identity Identity) []Policy {
	if identity.RoleName != "" {
		return d.roles[identity.RoleName].permissions
	}
	return d.users[identity.ARN[strings.LastIndexByte(identity.ARN, '/')+1:]]
}

// Administrator is the policy that allows everything.
func Administrator() Policy {
	return Policy{Version: "1", Statement: []Statement{{Effect: "Allow", Action: Strings{"*"}, Resource: Strings{"*"}}}}
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b)[:n]
}
